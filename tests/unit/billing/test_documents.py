from __future__ import annotations

import re
import zlib

import pytest

from billing.documents import (
    Issuer,
    credit_note_pdf,
    invoice_pdf,
    receipt_pdf,
    table_pdf,
)
from billing.domain.invoices import DAY_US, BillingTerms, Line
from billing.invoicing import CreditNote, Invoice
from billing.paper import latin
from billing.receipts import Receipt
from billing.storage.invoice_rows import Header

ISSUER = Issuer(title="Talkmeter Ltd", address="1 Harbour Road\n10115 Berlin", details="IBAN XX00")
ISSUED_US = 1_793_610_000_000_000  # 2026-11-02
TERMS = BillingTerms(
    late_fee=5_000_000,
    late_fee_bp=150,
    grace_days=5,
    early_discount_bp=200,
    early_days=10,
    title="Bob & Söhne \u2013 Łódź",
    address="2 Mill Lane\nVilnius",
)


def invoice(lines: int = 3) -> Invoice:
    made = tuple(
        Line(
            kind="settle", text=f"Calls to 1800555{number:04d}, Billing", service="1800555",
            tariff="standard", quantity=number, billed_seconds=61 * number, net=5_216_667, tax=95,
        )
        for number in range(1, lines)
    )  # fmt: skip
    made += (Line(kind="fee", text="late fee of invoice 2026-000007 " * 4, net=5_000_000),)
    net, tax = sum(line.net for line in made), sum(line.tax for line in made)
    header = Header(
        number="2026-000012", account="bob", currency="USD", month="2026-10",
        issued_us=ISSUED_US, due_us=ISSUED_US + 30 * DAY_US, terms=TERMS,
        net=net, tax=tax, total=net + tax,
    )  # fmt: skip
    return Invoice(header=header, lines=made, allocations=(), credit_notes=())


def pages(document: bytes) -> list[str]:
    """The texts of each page, as they are shown."""
    streams = re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL)
    found = []
    for stream in streams:
        try:
            content = zlib.decompress(stream).decode("latin-1")
        except zlib.error:
            continue
        texts = re.findall(r"\((.*?)(?<!\\)\) Tj", content, re.DOTALL)
        found.append("\n".join(re.sub(r"\\([()\\])", r"\1", text) for text in texts))
    return [page for page in found if page]


def test_an_invoice_says_who_owes_what_until_when() -> None:
    document = invoice_pdf(invoice(), ISSUER)

    [page] = pages(document)
    assert document.startswith(b"%PDF-")
    for text in (
        "Talkmeter Ltd", "10115 Berlin", "IBAN XX00", "Bob & Söhne - Lódz", "2 Mill Lane",
        "2026-000012", "2026-11-02", "2026-12-02", "Calls to 18005550002, Billing (standard)",
        "0:02:02", "5.216667", "0.000095", "15.433334 USD", "0.00019 USD", "15.433524 USD",
        "Page 1 of \n1",
    ):  # fmt: skip
        assert text in page
    terms = page.replace("\n", " ")
    assert "Paid in full until 2026-11-12: 2% discount, 15.124854 USD instead." in terms
    assert "After 2026-12-07 a late fee is added: 5.00 USD and 1.50% of what is unpaid." in terms


def test_the_same_invoice_is_the_same_bytes() -> None:
    assert invoice_pdf(invoice(), ISSUER) == invoice_pdf(invoice(), ISSUER)


def test_thousands_of_lines_take_many_pages_with_titles_and_numbers() -> None:
    found = pages(invoice_pdf(invoice(2_500), ISSUER))

    assert len(found) > 40
    assert sum(page.count("Calls to 1800555") for page in found) == 2_499
    assert all("Description" in page for page in found)
    assert f"Page {len(found)} of \n{len(found)}" in found[-1]
    assert "Total" in found[-1]


def test_a_credit_note_names_its_invoice() -> None:
    note = CreditNote(
        number="CN-2026-000001", invoice="2026-000012", transfer_id="t",
        issued_us=ISSUED_US + DAY_US, reason="the line was down (twice)", net=4, tax=1, total=5,
    )  # fmt: skip

    [page] = pages(credit_note_pdf(note, invoice().header, ISSUER))

    for text in ("Credit note", "CN-2026-000001", "2026-000012 of 2026-11-02", "2026-11-03",
                 "the line was down (twice)", "0.000005 USD"):  # fmt: skip
        assert text in page


def test_a_receipt_shows_the_money_and_the_balance() -> None:
    receipt = Receipt(
        transfer_id="0199-7f", account="alice", title="alice", address="", kind="top_up",
        at_us=ISSUED_US, amount=25_000_000, balance=45_000_000, currency="USD", memo="cash",
    )  # fmt: skip

    [page] = pages(receipt_pdf(receipt, ISSUER))

    for text in ("Receipt", "0199-7f", "2026-11-02", "Top up: cash", "25.00 USD", "45.00 USD"):
        assert text in page


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Zażółć gęślą jaźń", "Zazólc gesla jazn"),
        ("Größe 5 €", "Größe 5 EUR"),
        ("\u201cquoted\u201d \u2013 it\u2019s…", '"quoted" - it\'s...'),
        ("Москва 北京 \U0001f600", "?????? ?? ?"),
        ("ﬁne № 5", "fine No 5"),
    ],
)
def test_letters_that_the_fonts_lack_are_written_otherwise(text: str, written: str) -> None:
    assert latin(text) == written


def test_any_table_is_printed_with_its_titles_on_each_page():
    rows = [(f"2026-10-{day % 28 + 1:02d}", "Billing " * 9, f"{day}.00") for day in range(90)]

    found = pages(
        table_pdf(
            "Statement", [("Period", "2026-10")], ("Day", "What", "Amount"), rows, ISSUER,
            at_us=ISSUED_US, right=frozenset({2}), whom=("Acme", "1 Mill Lane"),
        )
    )  # fmt: skip

    assert len(found) > 2
    assert all("Amount" in page for page in found)
    assert "Statement" in found[0]
    assert "Acme" in found[0]
    assert "89.00" in found[-1]
