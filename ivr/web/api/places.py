"""Parts of the paths of operations, each with what may stand there."""

from __future__ import annotations

from typing import Final

_CODE: Final = "[a-z0-9][a-z0-9_.-]*"
_ID: Final = "[0-9a-f-]{36}"

CALL: Final = f"{{call_id:{_ID}}}"
ACCOUNT: Final = f"{{account:{_CODE}}}"
SUBSCRIPTION: Final = f"{{subscription:{_CODE}}}"
NUMBER: Final = "{number:[0-9]{2,20}}"
DIGIT: Final = "{digit:[0-9]}"
QUEUE: Final = "{queue:[a-z0-9-]{1,64}}"
TARIFF: Final = "{tariff:[a-z0-9][a-z0-9_.-]{0,63}}"
ALARM: Final = f"{{alarm:{_ID}}}"
