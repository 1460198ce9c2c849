"""Tables of the application, registered beside those of `billing` so that one history moves both.

Moments are microseconds since 1970 in UTC. `calls` describes calls; their money is in `sessions`
(same id), which is where anything about amounts must be read.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

import billing.storage.card_tables
import billing.storage.invoice_tables
import billing.storage.party_tables
import billing.storage.payout_tables
import billing.storage.plan_tables
import billing.storage.report_tables
import billing.storage.voucher_tables  # noqa: F401 - registers its tables
import ivr.care_tables
import ivr.operation_tables
import ivr.webhook_tables  # noqa: F401 - as above
from billing.storage.tables import RowId, metadata

dids = Table(
    "dids",
    metadata,
    Column("number", Text, primary_key=True),
    Column("client", Text, ForeignKey("clients.code"), nullable=False),
    Column("kind", Text, nullable=False),  # local | premium
    Column("monthly_fee", BigInteger, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("tariff", Text, nullable=False),
    Column("trust_caller_id", Boolean, nullable=False),
    Column("pin", Text, nullable=False),  # required | optional | never
    Column("rules", Text, nullable=False, server_default="{}"),  # JSON of `LineRules`
)

topics = Table(
    "topics",
    metadata,
    Column("did", Text, ForeignKey("dids.number"), nullable=False),
    Column("digit", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("tariff", Text),  # null: the DID's
    Column("rules", Text, nullable=False, server_default="{}"),  # JSON of `TopicRules`
    PrimaryKeyConstraint("did", "digit"),
)

phones = Table(
    "phones",
    metadata,
    Column("number", Text, primary_key=True),
    Column("account", Text, nullable=False),  # code of a caller's account
    Index("ix_phones_account", "account"),
    Index("ix_phones_search", "number", postgresql_ops={"number": "text_pattern_ops"}),
)

pins = Table(
    "pins",
    metadata,
    Column("account", Text, primary_key=True),
    Column("pin_hash", Text, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    Column("name", Text, primary_key=True),
    Column("client", Text, ForeignKey("clients.code"), nullable=False),
    Column("body", Text, nullable=False),  # JSON of `Queue`
)

client_rules = Table(
    "client_rules",
    metadata,
    Column("client", Text, ForeignKey("clients.code"), primary_key=True),
    Column("rules", Text, nullable=False),  # JSON of `ClientRules`
)

# Sounds of clients' own, 8 kHz mu-law; `text` is null where one was uploaded.
own_prompts = Table(
    "own_prompts",
    metadata,
    Column("client", Text, ForeignKey("clients.code"), nullable=False),
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("text", Text),
    Column("sound", LargeBinary, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("client", "name", "language"),
)

prompt_uses = Table(
    "prompt_uses",
    metadata,
    Column("did", Text, ForeignKey("dids.number"), nullable=False),
    Column("digit", Integer, nullable=False),  # -1: the greeting of the line
    Column("prompt", Text, nullable=False),
    PrimaryKeyConstraint("did", "digit"),
)

agents_away = Table(
    "agents_away",
    metadata,
    Column("client", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("state", Text, nullable=False),  # paused | logged_out
    Column("at_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("client", "agent"),
)

account_languages = Table(
    "account_languages",
    metadata,
    Column("account", Text, primary_key=True),
    Column("language", Text, nullable=False),
)

# Wrong PINs and vouchers, and until when nobody may try (`ivr.directory.gate`).
pin_failures = Table(
    "pin_failures",
    metadata,
    Column("scope", Text, nullable=False),  # account | caller | line | web | voucher
    Column("name", Text, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("scope", "name"),
)

# One row; `version` grows with each change of the directory, so that readers know when to reload.
directory_stamp = Table(
    "directory_stamp",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("uniqueid", Text, nullable=False),
    Column("did", Text, nullable=False),
    Column("client", Text),
    Column("account", Text),  # code of the caller's account, once known
    Column("caller", Text, nullable=False),
    Column("digit", Integer),
    Column("topic", Text),
    Column("destination", Text),
    Column("tariff", Text),
    Column("tariff_version", Integer),
    Column("state", Text, nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("answered_us", BigInteger),  # talk began
    Column("ended_us", BigInteger),
    # When that was written down; after an outage long after it ended.
    Column("closed_us", BigInteger),
    Column("end_reason", Text),
    # A call that an agent put through has a row for each part; `follows` is the part before.
    Column("part", Integer, nullable=False, server_default="1"),
    Column("follows", Text),
    Column("language", Text),
    Column("rating", Integer),  # of the agent by the caller, 1 to 5
    # JSON: [[at_us, state], …, [at_us, "held" | "warned" | "dearer" | …, number], …]
    Column("timeline", Text, nullable=False, server_default="[]"),
    Index("ix_calls_started_us", "started_us"),
    Index("ix_calls_account_started_us", "account", "started_us"),
    Index("ix_calls_client_started_us", "client", "started_us"),
    Index("ix_calls_did_started_us", "did", "started_us"),
    Index("ix_calls_client_closed_us", "client", "closed_us"),
    Index("ix_calls_closed_us", "closed_us"),
    Index(
        "ix_calls_untalked",
        "started_us",
        sqlite_where=text("answered_us IS NULL"),
        postgresql_where=text("answered_us IS NULL"),
    ),
    Index(
        "ix_calls_unended",
        "node",
        sqlite_where=text("ended_us IS NULL"),
        postgresql_where=text("ended_us IS NULL"),
    ),
)

# What callers left: a sound file beside the call, in the folder shared with Asterisk.
recordings = Table(
    "recordings",
    metadata,
    Column("call", Text, ForeignKey("calls.id"), nullable=False),
    Column("kind", Text, nullable=False),  # message | talk
    Column("client", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("keep_until_us", BigInteger, nullable=False),
    Column("heard_us", BigInteger),  # of a message: somebody listened first
    PrimaryKeyConstraint("call", "kind"),
    Index("ix_recordings_client_created_us", "client", "created_us"),
    Index("ix_recordings_created_us", "created_us", "call"),
    Index("ix_recordings_keep_until_us", "keep_until_us"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call", Text, nullable=False),  # the one in which it was asked for
    Column("client", Text, ForeignKey("clients.code"), nullable=False),
    Column("did", Text, nullable=False),
    Column("digit", Integer, nullable=False),
    Column("account", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting | calling | done | failed | cancelled
    Column("tries", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("node", Text),  # which calls now
    Column("reason", Text),
    Column("made", Text),  # the call that was made of it
    Index("ix_callbacks_state_next_us", "state", "next_us"),
    Index("ix_callbacks_client_created_us", "client", "created_us"),
    Index("ix_callbacks_created_us", "created_us", "id"),
)

users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),  # operator | client | reseller | referrer | caller
    Column("subject", Text),  # code of the client, party or account that it may see
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created_us", BigInteger, nullable=False),
    Column("rights", Text, nullable=False, server_default=""),  # words of `scope.Right`
    # The password was made by somebody else: it opens only the page that changes it.
    Column("must_change", Boolean, nullable=False, server_default=text("false")),
    Column("seen_us", BigInteger),  # last logged in
    Column("language", Text),  # what its pages are read in; without, as the browser says
    Column("timezone", Text),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("address", Text),
    Column("agent", Text),  # the browser in a few words
    Column("proved_us", BigInteger),  # the password was typed again
    Index("ix_web_sessions_user_id", "user_id"),
)

# Callers who logged in with account and PIN. A session holds the hash of the PIN that opened it, so
# that it ends with it, whoever changes the PIN.
pin_sessions = Table(
    "pin_sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("account", Text, nullable=False),  # code of a caller's account
    Column("pin_hash", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("address", Text),
    Column("agent", Text),
    Index("ix_pin_sessions_account", "account"),
)

# Tries to log in, counted in windows: outlives a restart and holds for all processes.
login_tries = Table(
    "login_tries",
    metadata,
    Column("name", Text, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Index("ix_login_tries_since_us", "since_us"),
)

second_factors = Table(
    "second_factors",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), primary_key=True),
    Column("secret", Text, nullable=False),  # sealed with the key of the web
    Column("last_step", BigInteger, nullable=False),  # a code works once
    Column("created_us", BigInteger, nullable=False),
    Column("confirmed_us", BigInteger),  # null: shown, not yet in force
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", BigInteger, ForeignKey("users.id"), nullable=False),
    Column("code_hash", Text, nullable=False),
    Column("used_us", BigInteger),
    PrimaryKeyConstraint("user_id", "code_hash"),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # names it, opens nothing
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("subject", Text),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked", Boolean, nullable=False, server_default=text("false")),
    Column("rights", Text, nullable=False, server_default=""),  # words of `scope.Right`
    Column("created_by", Text),  # a login; null: the command line
    Column("used_us", BigInteger),
    Index("ix_api_tokens_role_subject", "role", "subject"),
)

# Guarded by triggers like the postings.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text),
    Column("action", Text, nullable=False),
    Column("subject", Text),
    Column("before", Text),
    Column("after", Text),
    Column("role", Text),  # of the actor
    Column("company", Text),  # subject of the actor, where it is not an operator
    Index("ix_audit_log_at_us", "at_us"),
    Index("ix_audit_log_actor", "actor", "id"),
    Index("ix_audit_log_company", "role", "company", "id"),
    Index("ix_audit_log_subject", "subject", "id"),
)
