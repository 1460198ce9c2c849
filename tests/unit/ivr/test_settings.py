from __future__ import annotations

from pathlib import Path

import pytest

from ivr.settings import SettingsError, load


def test_a_later_source_wins(tmp_path: Path) -> None:
    file = tmp_path / "talkmeter.toml"
    file.write_text('web_port = 1001\nagi_port = 1001\nsip_port = 1001\nnode = "file"\n')
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.toml").write_text("web_port = 1002\nagi_port = 1002\n")

    settings = load(file, {"web_port": 1004}, {"TALKMETER_AGI_PORT": "1003"})

    assert (settings.web_port, settings.agi_port, settings.sip_port) == (1004, 1003, 1001)
    assert settings.node == "file"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open sesame\n")

    settings = load(None, None, {"TALKMETER_AMI_SECRET_FILE": str(tmp_path / "secret")})

    assert settings.ami_secret is not None
    assert settings.ami_secret.get_secret_value() == "open sesame"
    assert "open sesame" not in repr(settings) + str(settings.masked())


def test_the_password_of_a_database_url_is_masked() -> None:
    url = "postgresql+asyncpg://talkmeter:hidden@db/talkmeter"

    masked = load(None, {"database_url": url}, {}).masked()

    assert masked["database_url"] == "postgresql+asyncpg://talkmeter:***@db/talkmeter"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web_port = 'x'", "TALKMETER_WEB_PORT"),
        ("colour = 1", "TALKMETER_COLOUR"),
        ("web_port = ", "talkmeter.toml"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "talkmeter.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=message):
        load(file, None, {})


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TALKMETER_AMI_SECRET_FILE"):
        load(None, None, {"TALKMETER_AMI_SECRET_FILE": str(tmp_path / "none")})
