"""Whole numbers as recordings, by the rules of each language.

    English    tens and ones are said apart: num-20 num-1
    German     num-21 is one word; before a noun 1 is "ein" (num-1m) or "eine" (num-1f)
    Spanish    1, 21, 31 … have forms before a noun: num-21m "veintiún", num-21f "veintiuna"
    Russian    1 and 2 have a feminine form; a noun is "one", "few" or "many" of something

Up to 99 each number is one recording there, so that no grammar is left inside it.
"""

from __future__ import annotations

from typing import Final

SPOKEN_MAX: Final = 999_999_999
# Nouns whose forms of 1 are feminine; every other is masculine.
_FEMININE: Final = {
    "en": frozenset[str](),
    "de": frozenset({"second", "minute", "hour", "million"}),
    "es": frozenset({"hour", "cur-gbp"}),
    "ru": frozenset({"second", "minute", "thousand"}),
}


def counted(value: int, noun: str, language: str) -> tuple[str, ...]:
    """Speak so many of a noun: `minute`, `hour`, `cur-usd`, `cur-eur-cent`, …."""
    return (*number(value, language, noun=noun), _form(noun, value, language))


def number(value: int, language: str, *, noun: str = "") -> tuple[str, ...]:
    """Speak a whole number of up to nine digits, alone or before a noun."""
    if value < 0:
        return ("num-minus", *number(-value, language, noun=noun))
    value = min(value, SPOKEN_MAX)
    words: tuple[str, ...] = ()
    for size, word in ((1_000_000, "million"), (1_000, "thousand")):
        count, value = divmod(value, size)
        if count:
            words = (*words, *_power(count, word, language))
    if value or not words:
        words = (*words, *_below_thousand(value, language, noun))
    return words


def _power(count: int, word: str, language: str) -> tuple[str, ...]:
    if language == "en":
        return (*_below_thousand(count, language, ""), f"num-{word}")
    form = f"num-{word}{_ending(count, language, word)}"
    # "tausend", "mil" and "тысяча" need no one before them.
    if count == 1 and word == "thousand":
        return (form,)
    return (*_below_thousand(count, language, word), form)


def _ending(count: int, language: str, word: str) -> str:
    kind = _plural(count, language)
    if language != "ru":
        return "-many" if word == "million" and kind == "many" else ""
    return "" if kind == "one" else f"-{kind}"


def _below_thousand(value: int, language: str, noun: str) -> tuple[str, ...]:
    hundreds, rest = divmod(value, 100)
    words: tuple[str, ...] = ()
    if hundreds:
        words = _hundreds(hundreds, language, noun, alone=not rest)
    if rest or not hundreds:
        words = (*words, *_below_hundred(rest, language, noun))
    return words


def _hundreds(count: int, language: str, noun: str, *, alone: bool) -> tuple[str, ...]:
    if language == "en":
        return (f"num-{count}", "num-hundred")
    if language == "es":
        if count == 1 and alone:
            return ("num-100x",)
        return (f"num-{count}00f" if count > 1 and _feminine(noun, language) else f"num-{count}00",)
    return (f"num-{count}00",)


def _below_hundred(value: int, language: str, noun: str) -> tuple[str, ...]:
    if language == "en":
        if value <= 20 or value % 10 == 0:
            return (f"num-{value}",)
        return (f"num-{value // 10 * 10}", f"num-{value % 10}")
    return (f"num-{value}{_gender(value, language, noun)}",)


def _gender(value: int, language: str, noun: str) -> str:
    """Name the form of a number before a noun, where the language has one."""
    if not noun:
        return ""
    feminine = _feminine(noun, language)
    match language:
        case "de" if value == 1:
            return "f" if feminine else "m"
        case "es" if value % 10 == 1 and value != 11:
            return "f" if feminine else "m"
        case "ru" if feminine and value % 10 in {1, 2} and value not in {11, 12}:
            return "f"
        case _:
            return ""


def _feminine(noun: str, language: str) -> bool:
    return noun in _FEMININE[language]


def _plural(value: int, language: str) -> str:
    """Choose the form of a noun: one, few (Russian only) or many."""
    if language != "ru":
        return "one" if value == 1 else "many"
    if value % 100 in range(11, 15):
        return "many"
    if value % 10 == 1:
        return "one"
    return "few" if value % 10 in {2, 3, 4} else "many"


def _form(noun: str, value: int, language: str) -> str:
    kind = _plural(value, language)
    if noun.startswith("cur-"):
        return f"{noun}-{kind}"
    return {"one": noun, "few": f"{noun}s-few", "many": f"{noun}s"}[kind]
