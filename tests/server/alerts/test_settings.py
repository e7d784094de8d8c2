"""Whom alerts are sent to, and the files of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from handfed.server.alerts.settings import AlertFiles, AlertSettings, host_and_port
from handfed.shared.errors import SettingError, StorageError

MAIL: dict[str, Any] = {"to": ["ada@example.org"], "sender": "ada@example.org", "host": "mail.example.org", "port": 587}


def test_without_a_file_alerts_are_sent_to_nobody(tmp_path: Path) -> None:
    settings = AlertFiles(tmp_path).load()
    assert (settings.channels, settings.away.days) == (frozenset(), 7)


def test_what_was_saved_is_loaded_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    files, settings = AlertFiles(tmp_path), AlertSettings.of({"webhook": "https://a.example/x", "mail": MAIL})
    files.save(settings, password="secret")  # noqa: S106 - of a test
    assert files.load() == settings
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.folder.iterdir()} == {0o600}
    assert len(files.secret()) == 64
    assert files.password() == "secret"


def test_a_secret_stays_with_its_host_and_goes_with_another(tmp_path: Path) -> None:
    files = AlertFiles(tmp_path)
    files.save(AlertSettings.of({"webhook": "https://a.example/x"}))
    first = files.secret()
    files.save(AlertSettings.of({"webhook": "https://a.example/y"}))
    assert files.secret() == first
    files.save(AlertSettings.of({"webhook": "https://b.example/y"}))
    assert files.secret() != first
    files.save(AlertSettings())
    with pytest.raises(StorageError, match="webhook-secret is missing"):
        files.secret()


@pytest.mark.parametrize("other", [{"host": "b.example"}, {"port": 25}, {"user": "ed"}])
def test_a_password_is_shown_to_no_other_mail_server_or_account(tmp_path: Path, other: dict[str, Any]) -> None:
    files = AlertFiles(tmp_path)
    files.save(AlertSettings.of({"mail": MAIL | {"user": "ada"}}), password="secret")  # noqa: S106 - of a test
    files.save(AlertSettings.of({"mail": MAIL | {"user": "ada", "to": ["ed@example.org"]}}))
    assert files.password() == "secret"
    files.save(AlertSettings.of({"mail": MAIL | {"user": "ada"} | other}))
    assert files.password() is None


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/x", "a.example/x", "https://", "https:///x", "file:///etc/passwd", "https://a.example:0/"),
        *("https://ada:pw@a.example/", "https://a.example:99999/", "https://a b.example/", "https://a.example/\n"),
        *("https://a..b/x", f"https://{'a' * 70}.example/x"),
    ],
)
def test_a_webhook_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingError, match="webhook"):
        AlertSettings.of({"webhook": url})


@pytest.mark.parametrize("address", ["ada", "ada@", "@example.org", "ada@a.example\nBcc: ed@b.example", "a b@c", ""])
def test_what_is_no_mail_address_is_refused(address: str) -> None:
    for given in ({"to": [address]}, {"sender": address}):
        with pytest.raises(SettingError, match="mail"):
            AlertSettings.of({"mail": MAIL | given})


@pytest.mark.parametrize("given", [{"host": "mail..example"}, {"host": "a" * 70}, {"user": "p\u00e4ul"}])
def test_what_smtp_cannot_say_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=r"^--smtp.* cannot be used: (a mail server is named|SMTP has no account)"):
        AlertSettings.of({"mail": MAIL | given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 99_999}, "--smtp must be HOST, or HOST:PORT with a port from 1 to 65535"),
        ({"host": "mail example"}, "--smtp must be HOST, or"),
        ({"to": ["ada@example.org"] * 21}, "--mail must be from 1 to 20 mail addresses"),
    ],
)
def test_a_bound_is_told_in_words_with_the_option(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError) as caught:
        AlertSettings.of({"mail": MAIL | given})
    assert str(caught.value).startswith(said)


def test_a_password_that_smtp_cannot_send_is_told(tmp_path: Path) -> None:
    files = AlertFiles(tmp_path)
    files.folder.mkdir()
    files.password_path.write_bytes("p\u00e4ss".encode("latin-1"))
    with pytest.raises(StorageError, match="holds no password of SMTP: give it anew"):
        files.password()


def test_an_account_takes_encryption() -> None:
    with pytest.raises(SettingError, match="not sent in the clear"):
        AlertSettings.of({"mail": MAIL | {"security": "none", "user": "ada"}})


@pytest.mark.parametrize("seconds", [0, 119, 366 * 86_400])
def test_a_device_is_away_after_two_minutes_to_a_year(seconds: float) -> None:
    with pytest.raises(SettingError, match=r"^--device-away must be from 2 minutes to a year$"):
        AlertSettings.of({"away_s": seconds})


def test_an_error_quotes_no_address(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        AlertSettings.of({"webhook": "ftp://a.example/s3cret"})
    assert "s3cret" not in str(caught.value)
    files = AlertFiles(tmp_path)
    files.folder.mkdir()
    files.settings_path.write_text('{"webhook": "ftp://a.example/s3cret"}', encoding="utf-8")
    with pytest.raises(SettingError, match="handfed alerts set") as broken:
        files.load()
    assert "s3cret" not in str(broken.value)


def test_a_mail_server_is_named_with_or_without_its_port() -> None:
    assert host_and_port("mail.example.org", "starttls") == ("mail.example.org", 587)
    assert host_and_port("mail.example.org", "tls") == ("mail.example.org", 465)
    assert host_and_port("mail.example.org:2525", "none") == ("mail.example.org", 2525)
    with pytest.raises(SettingError, match="HOST:PORT"):
        host_and_port("mail.example.org:smtp", "none")
