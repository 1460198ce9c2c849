"""What the API's document says in words."""

from __future__ import annotations

from typing import Final

ABOUT: Final = """\
**Amounts** are decimal strings such as `"12.50"`, with up to six decimals. **Moments** are ISO 8601
in UTC; **days** are whole days in UTC, both included.

**Tokens** are sent as `Authorization: Bearer …`. A token is made for a role and sees what a login
of that role sees; somebody else's things do not exist for it (404).

**Lists** come in pages: `next` of a page is `after` of the next one, and null on the last. Places
stay right while rows are added.

**Idempotency.** What moves money takes the header `Idempotency-Key`: one to 100 visible ASCII
characters, made by you, new for each change. Sent again, the change is not made again; the answer
is the first one, with `Idempotency-Replayed: true`. The same key with other content is refused
(422, `idempotency_conflict`). Keys do not expire.

**Tags.** What is read has an `ETag`. Sent as `If-None-Match`, the answer is 304 without a body as
long as it would be the same. Operations that name `If-Match` take it: 412 where what is changed
was changed meanwhile by somebody else.

**Problems** are RFC 9457 documents. Rely on `code`. `invalid` breaks what this document says of
the fields, which are named; `invalid_input` fits it and still cannot be. What is answered 503 or
429 may be sent again after `Retry-After` seconds; with the same key where there is one. `internal`
(500) is our mistake, is written down, and may be sent again with the same key as well.

**Limits.** A body has at most 64 KiB (usage and imports: 8 MB, sounds: 16 MB), a page at most
500 rows. A hundred wrong tokens from one network within 15 minutes are answered 429, and so is a
token that asks more than 15,000 times in 15 minutes. Answers are `Cache-Control: no-store`, and no
other site's page may read them (there is no CORS).
"""

KEY_HELP: Final = "New for each change, the same when the change is sent again."
IF_NONE_MATCH_HELP: Final = "The `ETag` that you have: 304 as long as nothing is new."
IF_MATCH_HELP: Final = "The `ETag` that you have read: 412 where it was changed meanwhile."

TAGS: Final = {
    "calls": "Ended and running calls: what was charged, line by line, and who got what.",
    "live": "The calls of this moment.",
    "accounts": "Callers' accounts, their money and movements.",
    "usage": "Metering events that plans are drawn by, quotes before they are spent, sums.",
    "subscriptions": "Who has which plan, and what is left of it.",
    "plans": "What is sold by the month.",
    "reports": "Sums over calls, callers and plans.",
    "vouchers": "Prepaid money as codes.",
    "invoices": "What postpaid accounts are asked for.",
    "payments": "Top-ups by card: the card is typed at the processor alone.",
    "payouts": "What clients, resellers and referrers are paid.",
    "payout-files": "Approved payouts in files for the bank.",
    "parties": "Whoever has a part of what is sold: money, terms, holds, statements.",
    "refunds": "What was given back.",
    "prompts": "Sounds of a client's own.",
    "alarms": "What somebody must look at.",
    "health": "How every part of the installation is.",
    "limits": "What one caller, account or line may do at most, against fraud.",
    "keys": "Tokens of programs, with their scopes and ends.",
    "desk": "Agents, callbacks and messages.",
    "imports": "Files that are looked at row by row, then applied as they were shown.",
    "logins": "Who may log in, what for, and where it is logged in.",
    "settings": "What the service was started with.",
    "audit": "Every change, with who made it.",
    "exports": "What can be kept, as files.",
    "webhooks": "Who is told of what happens, and what became of telling it.",
    "clients": "Companies that sell support on their DIDs: what is agreed, and where they stand.",
    "dids": "Numbers, their topics, hours, and what callers hear.",
    "queues": "How callers wait, and who answers.",
    "tariffs": "What talks cost: versions, quotes, what is planned.",
    "me": "The token itself.",
}
