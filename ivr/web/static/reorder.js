/* Lists that can be put in order by dragging. The arrows beside each entry do the same without it. */
"use strict";
document.querySelectorAll("[data-reorder]").forEach((list) => {
  const form = list.closest("form");
  const entries = () => [...list.children];
  const order = () => entries().map((entry) => entry.dataset.key).join(",");
  const before = order();
  let dragged = null;
  entries().forEach((entry) => { entry.draggable = true; });
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("li");
    if (!dragged) return;
    dragged.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.key);
  });
  list.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    const over = event.target.closest("li");
    if (!over || over === dragged) return;
    const box = over.getBoundingClientRect();
    over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
  });
  list.addEventListener("drop", (event) => { event.preventDefault(); });
  list.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("dragged");
    dragged = null;
    if (order() === before) return;
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "order";
    field.value = order();
    form.append(field);
    form.submit();
  });
});
