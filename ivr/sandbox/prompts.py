"""Make the sound files of all prompts from their texts: `make prompts`.

    prompts/en.txt: name|text  ->  flite (or espeak-ng)  ->  sox  ->  prompts/en/name.ulaw

8 kHz mu-law is what the phones speak, so nothing is converted during a call.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from ivr.sandbox.configure import PROMPTS

VOICES: Final = {
    "en": (
        ["flite", "-voice", "slt", "--setf", "duration_stretch=0.84"],
        ["espeak-ng", "-v", "en-us"],
    ),
    "de": (["espeak-ng", "-v", "de"],),
    "es": (["espeak-ng", "-v", "es"],),
    "ru": (["espeak-ng", "-v", "ru"],),
}
TEXT_MAX: Final = 500
NAME: Final = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


class PromptsFailed(Exception):
    """A text that cannot be spoken, or no program to speak it."""


def texts(file: Path) -> dict[str, str]:
    """Read `name|text` lines.

    Raises:
        PromptsFailed: names file and line of a mistake.

    """
    found: dict[str, str] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, bar, text = line.partition("|")
        named = NAME.fullmatch(name) and name not in found
        if not (bar and named and text.strip() and len(text) <= TEXT_MAX):
            raise PromptsFailed(
                f"{file}:{number}: write name|text; names are a-z, 0-9 and -, each once"
            )
        found[name] = text.strip()
    return found


def make(language: str, folder: Path = PROMPTS) -> int:
    """Speak every text of one language; returns how many sound files were made."""
    if shutil.which("sox") is None:
        raise PromptsFailed("sox is needed: apt-get install sox flite")
    target = folder / language
    target.mkdir(exist_ok=True)
    wanted = texts(folder / f"{language}.txt")
    for number, (name, text) in enumerate(wanted.items(), 1):
        _speak(language, name, text, target / f"{name}.ulaw")
        print(f"\r{language}: {number} of {len(wanted)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    for stranger in target.glob("*.ulaw"):
        if stranger.stem not in wanted:
            stranger.unlink()
    return len(wanted)


def _speak(language: str, name: str, text: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.wav"
        if name == "beep":
            source = ["-n"]
            effects = ["synth", "0.2", "sine", "1000", "gain", "-12"]
        else:
            _synthesise(language, text, raw)
            source = [str(raw)]
            # Cut the silence at both ends, then leave a breath, and one loudness for all.
            quiet = ["silence", "1", "0.01", "0.5%", "reverse"]
            effects = [*quiet, *quiet, "pad", "0.02", "0.06", "norm", "-4"]
        subprocess.run(  # noqa: S603 - fixed program; the text never reaches it
            ["sox", *source, "-r", "8000", "-c", "1", "-t", "ul", str(target), *effects],  # noqa: S607
            check=True,
            capture_output=True,
        )


def _synthesise(language: str, text: str, raw: Path) -> None:
    for command in VOICES[language]:
        if shutil.which(command[0]):
            arguments = (
                ["-t", text, "-o", str(raw)] if command[0] == "flite" else ["-w", str(raw), text]
            )
            subprocess.run([*command, *arguments], check=True, capture_output=True)  # noqa: S603
            return
    raise PromptsFailed("flite or espeak-ng is needed: apt-get install flite sox")


def main() -> None:
    """Make the named languages, or all."""
    try:
        for language in sys.argv[1:] or VOICES:
            make(language)
    except PromptsFailed as error:
        print(f"prompts: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
