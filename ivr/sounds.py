"""Sounds as phones speak them: 8 kHz mu-law, made of what people upload or of a text.

    WAV file (PCM)  -> one channel, 16 bit -> 8 kHz -> mu-law
    text            -> espeak-ng -> the same

What is uploaded is read as numbers of samples and nothing else: no program ever sees the file.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import warnings
import wave
from typing import Final

from billing.errors import InvalidInput

with warnings.catch_warnings():
    # Gone from Python 3.13 on, where a package of the same name takes its place.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

RATE: Final = 8_000
SECONDS_MAX: Final = 120
UPLOAD_BYTES_MAX: Final = 12_000_000
TEXT_MAX: Final = 500
SPEAK_SECONDS: Final = 20.0
SAMPLE_BYTES: Final = 2
RATES: Final = range(8_000, 48_001)
VOICES: Final = {"en": "en-us", "de": "de", "es": "es", "ru": "ru"}
# Loudest sample after levelling; prompts of different origin are equally loud.
LOUDEST: Final = 20_000


def phone_sound(data: bytes) -> bytes:
    """Turn a WAV file into what a phone plays.

    Raises:
        InvalidInput: not a WAV file of PCM samples, or too long.

    """
    if len(data) > UPLOAD_BYTES_MAX:
        raise InvalidInput(reason=f"the file is larger than {UPLOAD_BYTES_MAX // 1_000_000} MB")
    try:
        with wave.open(io.BytesIO(data)) as sound:
            channels, width, rate = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
            frames = sound.readframes(SECONDS_MAX * RATES[-1] + 1)
    except (wave.Error, EOFError, ValueError, RuntimeError):
        raise InvalidInput(reason="not a WAV file of PCM samples") from None
    if channels not in {1, 2} or width not in {1, 2} or rate not in RATES:
        raise InvalidInput(reason="write WAV with 8 or 16 bit, mono or stereo, 8 to 48 kHz")
    frames = frames[: len(frames) - len(frames) % (channels * width)]
    if not frames:
        raise InvalidInput(reason="there is no sound in the file")
    if len(frames) > SECONDS_MAX * rate * channels * width:
        raise InvalidInput(reason=f"the sound is longer than {SECONDS_MAX} seconds")
    return _encoded(frames, channels, width, rate)


def _encoded(frames: bytes, channels: int, width: int, rate: int) -> bytes:
    if width == 1:
        frames = audioop.lin2lin(audioop.bias(frames, 1, -128), 1, SAMPLE_BYTES)
    if channels == 2:
        frames = audioop.tomono(frames, SAMPLE_BYTES, 0.5, 0.5)
    if rate != RATE:
        frames, _ = audioop.ratecv(frames, SAMPLE_BYTES, 1, rate, RATE, None)
    peak = audioop.max(frames, SAMPLE_BYTES)
    if peak:
        frames = audioop.mul(frames, SAMPLE_BYTES, LOUDEST / peak)
    return audioop.lin2ulaw(frames, SAMPLE_BYTES)


def browser_sound(sound: bytes) -> bytes:
    """Turn what a phone plays into a WAV file that every browser plays."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(SAMPLE_BYTES)
        written.setframerate(RATE)
        written.writeframes(audioop.ulaw2lin(sound, SAMPLE_BYTES))
    return file.getvalue()


async def spoken(text: str, language: str) -> bytes:
    """Let a text be spoken.

    Raises:
        InvalidInput: no such language, an empty or too long text, or no program to speak it.

    """
    words = " ".join(text.split())
    if language not in VOICES:
        raise InvalidInput(reason=f"write one of {', '.join(VOICES)}")
    if not 0 < len(words) <= TEXT_MAX or not words.isprintable():
        raise InvalidInput(reason=f"write a text of at most {TEXT_MAX} characters")
    if shutil.which("espeak-ng") is None:
        raise InvalidInput(reason="no voice is installed here (espeak-ng); upload a sound instead")
    process = await asyncio.create_subprocess_exec(
        "espeak-ng", "--stdin", "--stdout", "-v", VOICES[language],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SPEAK_SECONDS):
            data, _ = await process.communicate(words.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise InvalidInput(reason="the text could not be spoken in time") from None
    return phone_sound(_with_true_length(data))


def _with_true_length(data: bytes) -> bytes:
    """Correct the lengths in the header: who writes to a pipe does not know them beforehand."""
    start = data.find(b"data") + 8
    if start < 8:
        raise InvalidInput(reason="the text could not be spoken")
    size = len(data) - start
    return (
        data[:4] + (size + start - 8).to_bytes(4, "little") + data[8 : start - 4]
        + size.to_bytes(4, "little") + data[start:]
    )  # fmt: skip
