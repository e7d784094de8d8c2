"""Whom alerts are sent to: files in `alerts/` of the data directory, which nobody but the server's user may open.

    alerts/
    ├── settings.json       `AlertSettings`
    ├── webhook-secret      what signs the bodies that a webhook gets
    └── smtp-password       where the mail server wants one

Rules:
1. Everything in it has mode 0600: the address of a webhook lets whoever knows it post there.
2. A secret belongs to the host that it was given for: with another host it goes, so that nobody else is shown it.
3. A running server reads the files again each time, so that a change needs no restart.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from handfed.server.alerts.values import Channel
from handfed.server.attention.service import AWAY
from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import make_private, write_atomically

FOLDER: Final = "alerts"
SECRET_BYTES: Final = 32
LEAST_AWAY: Final = timedelta(minutes=2)  # a device is online that was heard of within one
PORTS: Final[Mapping[str, int]] = {"starttls": 587, "tls": 465, "none": 25}
Security = Literal["starttls", "tls", "none"]
_SERVER: Final = ("--smtp", "HOST, or HOST:PORT with a port from 1 to 65535")
_OPTIONS: Final[Mapping[int | str, tuple[str, str]]] = {  # of `handfed alerts set` by setting, and what each takes
    "webhook": ("--webhook", "an address"),
    "away_s": ("--device-away", "from 2 minutes to a year"),
    "mail": ("--smtp-user", "an account"),  # which is what has to fit the rest
    "to": ("--mail", "from 1 to 20 mail addresses"),
    "sender": ("--mail-from", "a mail address"),
    "host": _SERVER,
    "port": _SERVER,
    "security": ("--smtp-security", "starttls, tls or none"),
    "user": ("--smtp-user", "an account"),
}
_FROZEN: Final = ConfigDict(frozen=True, extra="ignore")  # a file of a newer Handfed may say more


class MailSettings(BaseModel):
    """How mail is sent.

    Attributes:
        to: Who gets it.
        sender: Whom it is from.
        host: The mail server.
        port: Where that listens.
        security: `starttls`, `tls` from the first byte, or `none`, for a mail server on this machine.
        user: The account at the mail server; None where it wants none.
    """

    model_config = _FROZEN

    to: tuple[str, ...] = Field(min_length=1, max_length=20)
    sender: str
    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")
    port: Annotated[int, Field(ge=1, le=65_535)]
    security: Security = "starttls"
    user: str | None = None

    @field_validator("to")
    @classmethod
    def _check_recipients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked_address(each) for each in value)

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        return _checked_host(value, "a mail server is named as example.org")

    @field_validator("user")
    @classmethod
    def _check_user(cls, value: str | None) -> str | None:
        if value is not None and not value.isascii():
            raise ValueError("SMTP has no account with such characters")
        return value

    @field_validator("sender")
    @classmethod
    def _check_sender(cls, value: str) -> str:
        return _checked_address(value)

    @model_validator(mode="after")
    def _check_account(self) -> Self:
        if self.user is not None and self.security == "none":
            raise ValueError("an account takes --smtp-security starttls or tls: its password is not sent in the clear")
        return self


class AlertSettings(BaseModel):
    """Whom alerts are sent to.

    Attributes:
        webhook: Where JSON is posted to; None for nowhere.
        mail: How mail is sent; None for not at all.
        away_s: For how long a device is not heard of until that is an alert, in seconds.
    """

    model_config = _FROZEN

    webhook: str | None = None
    mail: MailSettings | None = None
    away_s: Annotated[float, Field(ge=LEAST_AWAY.total_seconds(), le=timedelta(days=365).total_seconds())] = (
        AWAY.total_seconds()
    )

    @field_validator("webhook")
    @classmethod
    def _check_webhook(cls, value: str | None) -> str | None:
        return None if value is None else _checked_url(value)

    @property
    def channels(self) -> frozenset[Channel]:
        """Those that are set."""
        given: dict[Channel, object] = {"webhook": self.webhook, "mail": self.mail}
        return frozenset(channel for channel, how in given.items() if how is not None)

    @property
    def away(self) -> timedelta:
        """For how long a device is not heard of until that is an alert."""
        return timedelta(seconds=self.away_s)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Settings by name.

        Raises:
            SettingError: One is out of its range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            option, takes = _OPTIONS[[part for part in first["loc"] if part in _OPTIONS][-1]]
            # What a validator here says is for people; what pydantic says of a bound is not.
            why = first.get("ctx", {}).get("error")
            raise SettingError(f"{option} cannot be used: {why}" if why else f"{option} must be {takes}") from None


class AlertFiles:
    """The files.

    Args:
        directory: The data directory.
    """

    def __init__(self, directory: Path) -> None:
        self.folder = directory / FOLDER
        self.settings_path = self.folder / "settings.json"
        self.secret_path = self.folder / "webhook-secret"
        self.password_path = self.folder / "smtp-password"

    def load(self) -> AlertSettings:
        """What is set; nothing where there is no file.

        Raises:
            SettingError: It cannot be used.
            StorageError: The file cannot be read.
        """
        content = _read(self.settings_path)
        if content is None:
            return AlertSettings()
        try:
            return AlertSettings.model_validate_json(content)
        except ValidationError:
            raise SettingError(f"{self.settings_path} cannot be used: remove it, and run handfed alerts set") from None

    def save(self, settings: AlertSettings, *, secret: bytes | None = None, password: str | None = None) -> None:
        """Writes what is set; secrets of hosts that are no longer set go.

        Args:
            settings: What is set.
            secret: What signs for the webhook from now on; None to keep the one there is, or to make one.
            password: For the mail server from now on; None to keep the one there is.

        Raises:
            StorageError: The folder cannot be written.
        """
        before = self.load()
        make_private(self.folder)
        if origin_of(settings.webhook) != origin_of(before.webhook):
            _remove(self.secret_path)
        if _server(settings.mail) != _server(before.mail):
            _remove(self.password_path)
        if secret is not None:
            write_atomically(self.secret_path, secret)
        elif settings.webhook is not None and not self.secret_path.exists():
            write_atomically(self.secret_path, secrets.token_hex(SECRET_BYTES).encode())
        if password is not None:
            write_atomically(self.password_path, password.encode())
        write_atomically(self.settings_path, settings.model_dump_json(indent=2).encode() + b"\n")

    def secret(self) -> bytes:
        """What signs for the webhook.

        Raises:
            StorageError: It is not there, or cannot be read.
        """
        found = (_read(self.secret_path) or b"").strip()
        if not found:
            raise StorageError(f"{self.secret_path} is missing: handfed alerts set --webhook URL makes one")
        return found

    def password(self) -> str | None:
        """For the mail server; None where none was given.

        Raises:
            StorageError: It cannot be read.
        """
        found = _read(self.password_path)
        try:
            return None if found is None else found.decode("ascii")
        except UnicodeDecodeError:
            raise StorageError(f"{self.password_path} holds no password of SMTP: give it anew") from None


def origin_of(url: str | None) -> str | None:
    """Scheme, host and port of an address: what may be shown of a webhook's."""
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def host_and_port(text: str, security: Security) -> tuple[str, int]:
    """Reads HOST or HOST:PORT of a mail server.

    Raises:
        SettingError: It is neither.
    """
    host, colon, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "")
    if colon and not (port.isascii() and port.isdecimal()):
        raise SettingError(f"--smtp {text!r} is no mail server: write HOST, or HOST:PORT")
    return host, int(port) if colon else PORTS[security]


def _server(mail: MailSettings | None) -> tuple[str, int, str | None] | None:
    return None if mail is None else (mail.host, mail.port, mail.user)


def _checked_address(text: str) -> str:
    try:
        found = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError):
        found = Address()
    if not found.username or not found.domain or not text.isascii() or not text.isprintable():
        raise ValueError("a mail address has the form name@example.org")
    return text


def _checked_url(text: str) -> str:
    rule = "a webhook's address begins with https:// or http:// and names a host, without an account"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(rule) from None
    is_sound = text.isascii() and text.isprintable() and " " not in text and port != 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or not is_sound:
        raise ValueError(rule)
    _checked_host(parts.hostname, rule)
    return text


def _checked_host(text: str, rule: str) -> str:
    try:
        text.encode("idna")
    except UnicodeError:  # an empty label, or one that is too long
        raise ValueError(rule) from None
    return text


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror}") from error
