"""Numbers and nouns in four languages, as the words that are heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.domain.tariffs import Tariff, Tier
from billing.money import parse_amount
from ivr.directory.rules import LANGUAGES
from ivr.flows import speech
from ivr.flows.numbers import counted, number
from ivr.flows.prompts import LAST_WORDS, Prompt, language_question, topic_prompt
from ivr.sandbox.prompts import texts

PROMPTS = Path(__file__).parents[4] / "asterisk-conf" / "prompts"
WORDS = {language: texts(PROMPTS / f"{language}.txt") for language in LANGUAGES}
NOUNS = ("", "second", "minute", "hour", "cur-usd", "cur-gbp", "cur-eur-cent")


def heard(prompts: tuple[str, ...], language: str) -> str:
    return " ".join(WORDS[language][name] for name in prompts)


@pytest.mark.parametrize(
    ("value", "noun", "german", "spanish", "russian"),
    [
        (0, "minute", "null Minuten", "cero minutos", "ноль минут"),
        (1, "minute", "eine Minute", "un minuto", "одна минута"),
        (2, "minute", "zwei Minuten", "dos minutos", "две минуты"),
        (5, "hour", "fünf Stunden", "cinco horas", "пять часов"),
        (1, "hour", "eine Stunde", "una hora", "один час"),
        (3, "hour", "drei Stunden", "tres horas", "три часа"),
        (11, "second", "elf Sekunden", "once segundos", "одиннадцать секунд"),
        (12, "second", "zwölf Sekunden", "doce segundos", "двенадцать секунд"),
        (21, "second", "einundzwanzig Sekunden", "veintiún segundos", "двадцать одна секунда"),
        (22, "second", "zweiundzwanzig Sekunden", "veintidós segundos", "двадцать две секунды"),
        (1, "cur-usd", "ein Dollar", "un dólar", "один доллар"),
        (31, "cur-usd", "einunddreißig Dollar", "treinta y un dólares", "тридцать один доллар"),
        (21, "cur-gbp", "einundzwanzig Pfund", "veintiuna libras", "двадцать один фунт"),
        (4, "cur-eur-cent", "vier Cent", "cuatro céntimos", "четыре цента"),
        (100, "cur-usd", "hundert Dollar", "cien dólares", "сто долларов"),
        (200, "cur-gbp", "zweihundert Pfund", "doscientas libras", "двести фунтов"),
        (111, "cur-usd", "hundert elf Dollar", "ciento once dólares", "сто одиннадцать долларов"),
        (1000, "cur-usd", "tausend Dollar", "mil dólares", "тысяча долларов"),
        (
            2_001, "cur-usd", "zwei tausend ein Dollar", "dos mil un dólares",
            "две тысячи один доллар",
        ),
        (
            1_000_000, "cur-usd", "eine Million Dollar", "un millón dólares",
            "один миллион долларов",
        ),
    ],
)  # fmt: skip
def test_a_number_and_its_noun_agree(
    value: int, noun: str, german: str, spanish: str, russian: str
) -> None:
    found = [heard(counted(value, noun, language), language) for language in ("de", "es", "ru")]

    assert found == [german, spanish, russian]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_with_every_noun_has_its_recordings(language: str) -> None:
    values = [*range(2_000), 21_000, 101_000, 999_999, 2_000_000, 999_999_999]
    for noun in NOUNS:
        for value in values:
            said = counted(value, noun, language) if noun else number(value, language)
            assert set(said) <= WORDS[language].keys(), (value, noun)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_a_flow_can_say_has_a_text_and_a_sound(language: str) -> None:
    english = WORDS["en"].keys() - {"num-hundred", "one-minute-left"}
    named = {str(prompt) for prompt in (*Prompt, *LAST_WORDS.values())} & english
    named |= {language_question(place) for place in range(1, len(LANGUAGES) + 1)}
    named |= {topic_prompt(digit=digit, name="") for digit in range(10)} | english

    sounds = {file.stem for file in (PROMPTS / language).glob("*.ulaw")}

    assert named - WORDS[language].keys() == set()
    assert sounds == WORDS[language].keys()


def test_a_price_is_told_in_the_callers_language() -> None:
    tariff = Tariff(
        name="t", currency="EUR", setup_fee=parse_amount("1.00"),
        tiers=(Tier(from_seconds=0, price=parse_amount("0.21")),),
    )  # fmt: skip

    said = {
        language: heard(speech.price(tariff, tariff.tiers, language), language)
        for language in LANGUAGES
    }

    assert said["de"].endswith("Dieses Gespräch kostet einundzwanzig Cent pro Minute.")
    assert said["es"].endswith("Esta llamada cuesta veintiún céntimos por minuto.")
    assert said["ru"].endswith("Цена разговора: двадцать один цент в минуту.")
