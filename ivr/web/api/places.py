"""Parts of the paths of operations, each with what may stand there."""

from __future__ import annotations

from typing import Final

_CODE: Final = "[a-z0-9][a-z0-9_.-]*"
_ID: Final = "[0-9a-f-]{36}"

CALL: Final = f"{{call_id:{_ID}}}"
ACCOUNT: Final = f"{{account:{_CODE}}}"
BATCH: Final = f"{{batch:{_ID}}}"
PAYOUT: Final = f"{{payout:{_ID}}}"
FILE: Final = f"{{file_id:{_ID}}}"
PARTY: Final = f"{{party_kind:(?:client|reseller|referrer)}}/{{party_code:{_CODE}}}"
INVOICE: Final = "{invoice:[A-Za-z0-9-]{1,40}}"
CLIENT: Final = f"{{client:{_CODE}}}"
AGENT: Final = f"{{agent:{_CODE}}}"
CALLBACK: Final = f"{{callback:{_ID}}}"
LANGUAGE: Final = "{language:[a-z]{2}}"
PROMPT: Final = "{prompt:[a-z0-9-]{1,40}}"
WEBHOOK: Final = f"{{webhook:{_ID}}}"
DELIVERY: Final = f"{{delivery:{_ID}}}"
SUBSCRIPTION: Final = f"{{subscription:{_CODE}}}"
NUMBER: Final = "{number:[0-9]{2,20}}"
DIGIT: Final = "{digit:[0-9]}"
QUEUE: Final = "{queue:[a-z0-9-]{1,64}}"
TARIFF: Final = "{tariff:[a-z0-9][a-z0-9_.-]{0,63}}"
STEP: Final = "{step:[a-z0-9-]{1,20}}"
PLAN: Final = "{plan:[a-z0-9][a-z0-9_.-]{0,63}}"
CLIENT_CODE: Final = f"{{client_code:{_CODE}}}"
LOGIN: Final = "{login:[a-z0-9][a-z0-9_.@+-]{1,63}}"
SESSION: Final = "{session:[0-9a-f]{16}}"
ALARM: Final = f"{{alarm:{_ID}}}"
