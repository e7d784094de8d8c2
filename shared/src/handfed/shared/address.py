"""Where a server is: a host and a port, as people write them and as a certificate names them.

Rules:
1. One address has one form: the host in lower case, an internationalised name in its ASCII form (IDNA), an IPv6
   address compressed and in brackets (RFC 5952), and no port where it is the usual one.
2. A host is a name or an IP address, and nothing else: no scheme, user, path or zone gets in.

Source: RFC 3986 section 3.2 (authority), RFC 1123 section 2.1 (names).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Self

from handfed.shared.errors import SettingError

DEFAULT_PORT: Final = 8443
_LARGEST_PORT: Final = 65_535
_LONGEST_NAME: Final = 253
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_FORM: Final = "write it as server.example, 192.0.2.7 or [2001:db8::7], with :PORT where it is another than"


@dataclass(frozen=True)
class Address:
    """A host and a port.

    Attributes:
        host: A name in ASCII, or an IP address; IPv6 without brackets.
        port: From 1 to 65,535.
    """

    host: str
    port: int = DEFAULT_PORT

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `host`, `host:port`, `[IPv6]`, `[IPv6]:port` or a bare IPv6 address.

        Raises:
            SettingError: It is none of these.
        """
        written = text.strip()
        host, port = _split(written)
        canonical = _host(host)
        number = DEFAULT_PORT if port is None else _port(port)
        if canonical is None or number is None or (written.startswith("[") and ":" not in canonical):
            raise SettingError(f"{text!r} is no address of a server: {_FORM} {DEFAULT_PORT}")
        return cls(canonical, number)

    @property
    def is_ip(self) -> bool:
        """Whether the host is an IP address and no name."""
        return _ip(self.host) is not None

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL, with the port in any case."""
        return f"{self._bracketed}:{self.port}"

    def __str__(self) -> str:
        """The address as a person writes it."""
        return self._bracketed if self.port == DEFAULT_PORT else self.authority

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def _split(text: str) -> tuple[str, str | None]:
    """Host and port; a bare IPv6 address has several colons and no port."""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return "", None
        return host, rest[1:] if rest else None
    host, colon, port = text.partition(":")
    return (text, None) if ":" in port else (host, port if colon else None)


def _port(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_PORT))):
        return None
    return int(text) if 0 < int(text) <= _LARGEST_PORT else None


def _host(text: str) -> str | None:
    """The host in its one form, or None."""
    ip = _ip(text)
    if ip is not None:
        return None if getattr(ip, "scope_id", None) else ip.compressed
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        return None
    labels = name.split(".")
    # A last label of digits would be taken for an IPv4 address by some and for a name by others.
    fits = len(name) <= _LONGEST_NAME and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()
    return name if fits else None


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
