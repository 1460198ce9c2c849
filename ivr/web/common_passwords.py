"""Passwords that everybody tries first, described rather than listed.

A guess is a few well-known words, names, walks over the keyboard or runs of the alphabet, dressed
up with figures, dates and signs: `P@ssw0rd-2024!` is `password`. What is left of a password once
such dress is taken off must be more than at most `WORDS_MAX` words of ours.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

WORDS_MAX: Final = 3
# Characters that are neither figures nor signs, beyond our words, that make it a guess no more.
REST_MAX: Final = 3
NUMBER_LENGTH: Final = 20

# What people write for letters.
DRESS: Final = str.maketrans("@4301!5$7€|", "aaeoiisstel")

SECRETS: Final = (
    "password passwort passwd passphrase pass secret geheim login logon letmein letme open sesame "
    "access welcome willkommen hello hallo hi changeme change default temp temporary test testing "
    "tester guest user admin administrator root super sysadmin manager boss owner master key "
    "keys code pin private public system server database network internet computer laptop desktop "
    "windows linux ubuntu debian android apple google amazon facebook twitter youtube instagram "
    "microsoft oracle cisco github netflix spotify email mail office work company business "
    "support service helpdesk phone telephone call calls voice asterisk talkmeter meter billing "
    "account customer client operator agent demo example sample mysecret mypassword newpassword "
    "trustno whatever nothing something anything never always forever"
)
THINGS: Final = (
    "love loveme iloveyou lovely baby babe angel princess prince queen king sunshine sun moon star "
    "stars rainbow flower rose lily daisy summer winter spring autumn sommer herbst "
    "fruehling january february march april may june july august september october november "
    "december januar februar maerz juni juli oktober dezember monday tuesday wednesday thursday "
    "friday saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag "
    "today tomorrow year month day days week football soccer baseball basketball hockey tennis "
    "golf golfer racing gamer player game games monkey dragon tiger lion eagle falcon shark wolf "
    "bear panda kitty kitten puppy dog doggy cat cats horse pony chicken dolphin butterfly "
    "chocolate cookie coffee cheese banana orange cherry pepper ginger sugar honey candy pizza "
    "beer whisky vodka guitar music rock metal jazz piano drummer batman superman spiderman "
    "starwars pokemon hunter ranger killer shadow phantom ghost magic wizard merlin ninja samurai "
    "warrior knight soldier pirate cowboy rocket thunder storm fire ice water snow mountain "
    "river ocean beach island green blue red black white silver gold golden purple yellow "
    "diamond crystal money rich dollar euro bitcoin lucky happy smile crazy cool sexy hot "
    "freedom liberty peace jesus christ god heaven bless faith hope family mother father mama "
    "papa mommy daddy sister brother friend friends buddy house home school college london "
    "paris berlin vienna madrid moscow america england germany france texas dallas boston "
    "chicago mercedes ferrari porsche mustang corvette harley yamaha honda toyota"
)
NAMES: Final = (
    "alex alexander alexandra alice amanda andrea andrew angela anna anthony ashley austin "
    "barbara benjamin brandon brian charlie charlotte chris christian christine daniel david "
    "diana dennis donald edward elizabeth emily emma eric eva frank george hannah harry heather "
    "helen henry jack jackson jacob james jason jennifer jessica joe john johnny jordan joseph "
    "joshua julia justin karen kevin laura lisa louis lucas maria mark martin mary matthew max "
    "melissa michael michelle mike nancy natalie nathan nicholas nicole oliver oscar patrick "
    "paul peter philip rachel rebecca richard robert ryan samantha samuel sandra sarah scott "
    "sophia sophie stefan stephen steve steven susan taylor theresa thomas tim tom tony tyler "
    "vanessa victor victoria vincent walter william xavier"
)
ROWS: Final = (
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop", "yxcvbnm",
    "abcdefghijklmnopqrstuvwxyz", "qazwsxedcrfvtgbyhnujmikolp", "qayxswedcvfrtgbnhzujm",
)  # fmt: skip
RUN_LENGTH_MIN: Final = 3


def is_common(password: str) -> bool:
    """Tell whether a password is one of those that are tried first."""
    text = password.casefold()
    if _repeats(text) or (text.isdecimal() and len(text) < NUMBER_LENGTH):
        return True
    bare = re.sub(r"[\W_]+", "", text)
    shapes = {
        re.sub(r"[^a-z]+", "", bare),
        re.sub(r"[^a-z]+", "", bare.translate(DRESS)),
        re.sub(r"[^a-z]+", "", text.translate(DRESS)),
        # Figures at the ends are figures, those between letters stand for letters.
        re.sub(r"[^a-z]+", "", text.strip("0123456789!@$.-_#*?+ ").translate(DRESS)),
    }
    others = len(re.sub(r"[a-z0-9]+", "", bare))
    return others <= REST_MAX and any(_is_guess(shape) for shape in shapes)


def _repeats(text: str) -> bool:
    """Tell whether a piece of at most half its length, again and again, is all of it."""
    return any(
        len({text[start : start + size] for start in range(0, len(text) - size + 1, size)}) == 1
        and text.startswith(text[len(text) - len(text) % size :])
        for size in range(1, len(text) // 2 + 1)
    )


def _is_guess(letters: str) -> bool:
    """Tell whether a text is at most so many words of ours and a few letters beside."""
    # The least (words, letters beside) to write the text up to each place.
    best = [(0, 0)]
    for end in range(1, len(letters) + 1):
        choices = [(best[end - 1][0], best[end - 1][1] + 1)]
        choices += [
            (best[start][0] + 1, best[start][1])
            for start in range(max(0, end - _longest()), end - RUN_LENGTH_MIN + 1)
            if _is_word(letters[start:end])
        ]
        best.append(min(choices, key=lambda choice: (choice[1], choice[0])))
    words, beside = best[-1]
    return words <= WORDS_MAX and beside <= REST_MAX


def _is_word(text: str) -> bool:
    if text in _words() or len(set(text)) == 1:
        return True
    return any(text in row or text in row[::-1] for row in ROWS)


@cache
def _words() -> frozenset[str]:
    return frozenset(f"{SECRETS} {THINGS} {NAMES}".split())


@cache
def _longest() -> int:
    return max(map(len, (*_words(), *ROWS)))
