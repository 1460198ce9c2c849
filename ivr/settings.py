"""Every setting: talkmeter.toml, then conf.d/*.toml beside it, then TALKMETER_*, then arguments.

A later source wins. Secrets may come from files: TALKMETER_AMI_SECRET_FILE names one that holds
TALKMETER_AMI_SECRET. There are no default secrets: the private Asterisk makes its own.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

ENVIRONMENT_PREFIX = "TALKMETER_"
SYSTEM_CONFIG = Path("/etc/talkmeter/talkmeter.toml")
SECRET_BYTES_MAX = 4096
LISTS = frozenset(
    {
        "agi_peers",
        "card_presets",
        "listen_phones",
        "outbound_countries",
        "require_second_factor",
        "web_proxies",
    }
)

Port = Annotated[int, Field(ge=1, le=65535)]
ListenPhone = Annotated[
    str, Field(pattern=r"^[^=]{1,64}=sip:[A-Za-z0-9_.-]{1,64}@[A-Za-z0-9.:-]{1,128}$")
]
Money = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,2})?$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class SettingsError(Exception):
    """A setting is missing or wrong; the text names it, its source and what to write."""


class Settings(BaseModel):
    """The effective configuration. Units end the names; every number has bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = ""
    web_host: str = "127.0.0.1"
    web_port: Port = 8080
    agi_host: str = "127.0.0.1"
    agi_port: Port = 4573
    agi_peers: tuple[str, ...] = ("127.0.0.1", "::1")
    # Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    web_proxies: tuple[str, ...] = ()
    # Roles whose logins must have a second factor: set up at the next login, before anything else.
    require_second_factor: tuple[Literal["operator", "client", "reseller", "referrer"], ...] = ()
    ami_host: str = "127.0.0.1"
    ami_port: Port | None = None
    ami_username: str = "talkmeter"
    ami_secret: SecretStr | None = None
    asterisk: Literal["private", "external"] = "private"
    sip_port: Port = 5060
    rtp_ports: str = "20000-20999"
    cel_file: Path | None = None
    state_dir: Path = Path("var")
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    node: str = "node-1"
    catalog: Path | None = None
    prompts: Path = Path(__file__).resolve().parent.parent / "asterisk-conf" / "prompts"
    # Who sends invoices and receipts; `provider_details` says where to pay to.
    provider_title: str = "Talkmeter"
    provider_address: str = ""
    provider_details: str = ""

    # Where browsers reach the web, such as https://talk.example; empty: as each request says.
    public_url: Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:\[\]-]{1,255})?$")] = ""
    # Strangers may open an account of their own at /signup.
    signup: bool = False
    # Cards are taken through Stripe where both secrets are given; amounts are of each currency.
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_webhook_secret: SecretStr = SecretStr("")
    card_minimum: Money = "5"
    card_maximum: Money = "500"
    card_presets: tuple[Money, ...] = ("10", "20", "50", "100")

    calls_max: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    # Webhooks reach public addresses only, unless the clients' servers stand in our own network.
    webhooks_allow_private: bool = False
    # A folder that Asterisk sees under the same path: queues, voicemail, recordings, own prompts.
    # Without it topics that need one of them are not available.
    shared_dir: Path | None = None
    # Who carries calls to phones, host or host:port, and the countries (ISO 3166) they may go to.
    outbound_gateway: Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]{1,128}(:\d{1,5})?)?$")] = ""
    outbound_countries: tuple[Country, ...] = ()
    # Own phones of logins that may listen to talks: login=sip:user@host:port.
    listen_phones: tuple[ListenPhone, ...] = ()
    account_calls_max: Annotated[int, Field(ge=1, le=1_000)] = 3
    slice_seconds: Annotated[int, Field(ge=5, le=300)] = 15
    renew_seconds: Annotated[int, Field(ge=2, le=120)] = 7
    ring_seconds: Annotated[int, Field(ge=5, le=300)] = 45
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 10
    ledger_seconds: Annotated[float, Field(ge=0.1, le=60)] = 4

    @field_validator("rtp_ports")
    @classmethod
    def _rtp_range(cls, text: str) -> str:
        low, _, high = text.partition("-")
        if not (low.isdecimal() and high.isdecimal() and 1024 <= int(low) < int(high) <= 65535):
            raise ValueError("write a range of ports such as 20000-20999")
        return text

    @model_validator(mode="after")
    def _cards(self) -> Settings:
        if bool(self.stripe_secret_key.get_secret_value()) != bool(
            self.stripe_webhook_secret.get_secret_value()
        ):
            raise ValueError("cards need both STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET")
        return self

    @property
    def url(self) -> str:
        """The database; SQLite in the state folder unless told otherwise."""
        return self.database_url or f"sqlite+aiosqlite:///{self.state_dir.resolve()}/talkmeter.db"

    def masked(self) -> dict[str, object]:
        """The effective values for people to read, without secrets."""
        values = self.model_dump(mode="json")
        url, at, rest = self.url.rpartition("@")
        values["database_url"] = f"{url.rpartition(':')[0]}:***@{rest}" if at else self.url
        return values


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,  # Any: pydantic checks each value
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read all sources.

    Raises:
        SettingsError: an unreadable file, an unknown name or a value that does not fit.

    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}  # Any: pydantic checks each value
    for path in _config_files(config):
        values |= _read_toml(path)
    values |= _from_environment(environment)
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        lines = [
            f"{ENVIRONMENT_PREFIX}{'.'.join(str(part) for part in item['loc']).upper()}: "
            f"{item['msg']}"
            for item in error.errors()
        ]
        raise SettingsError("; ".join(lines)) from error


def source(name: str, settings: Settings, environment: Mapping[str, str] | None = None) -> str:
    """Tell where a setting comes from: a variable, a file or argument, or nowhere (its default)."""
    environment = os.environ if environment is None else environment
    variable = f"{ENVIRONMENT_PREFIX}{name.upper()}"
    if name not in settings.model_fields_set:
        return "default"
    if f"{variable}_FILE" in environment:
        return f"{variable}_FILE"
    return variable if variable in environment else "talkmeter.toml or command line"


def cache_home(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what this user can fetch again: XDG_CACHE_HOME, or ~/.cache."""
    environment = os.environ if environment is None else environment
    folder = Path(environment.get("XDG_CACHE_HOME", ""))
    # A relative path is to be ignored (XDG base directory specification).
    return folder if folder.is_absolute() else Path.home() / ".cache"


def _config_files(config: Path | None) -> list[Path]:
    main = config or SYSTEM_CONFIG
    if config is not None and not config.is_file():
        raise SettingsError(f"{config}: no such file (--config)")
    files = [main] if main.is_file() else []
    return files + sorted((main.parent / "conf.d").glob("*.toml")) if files else []


def _read_toml(path: Path) -> dict[str, Any]:  # Any: pydantic checks each value
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:  # Any: as above
    values: dict[str, Any] = {}  # Any: pydantic checks each value
    for name in Settings.model_fields:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if (path := environment.get(f"{variable}_FILE")) is not None:
            values[name] = _read_secret(Path(path), variable)
        if (text := environment.get(variable)) is not None:
            values[name] = text.split(",") if name in LISTS else text
    return values


def _read_secret(path: Path, variable: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(SECRET_BYTES_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}_FILE: {error}") from error
