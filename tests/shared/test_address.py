"""An address has one form, and nothing but a host and a port gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.address import DEFAULT_PORT, Address
from handfed.shared.errors import SettingError

names = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9](\.[a-z][a-z0-9]{0,10}){0,3}", fullmatch=True).filter(
    lambda name: not any(label.startswith("xn--") for label in name.split("."))
)
hosts = names | st.ip_addresses().map(str)
addresses = st.builds(Address, hosts, st.integers(1, 65_535))


@given(addresses)
def test_what_is_written_is_read_again(address: Address) -> None:
    assert Address.parse(str(address)) == address
    assert Address.parse(address.authority) == address


@given(st.text(max_size=40))
def test_any_text_is_an_address_in_one_form_or_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except SettingError:
        return
    assert Address.parse(str(address)) == address
    assert str(address).isascii()
    assert not set(str(address)) & set("/@?# %\\")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Server.School.Example", "server.school.example"),
        ("server.example.:8443", "server.example"),
        ("server:9000", "server:9000"),
        ("127.0.0.1:8443", "127.0.0.1"),
        ("2001:DB8:0:0::7", "[2001:db8::7]"),
        ("[2001:db8::7]:9000", "[2001:db8::7]:9000"),
        ("schüle.example", "xn--schle-mva.example"),
        (" server ", "server"),
    ],
)
def test_the_one_form(text: str, form: str) -> None:
    assert str(Address.parse(text)) == form


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://server",
        "server/path",
        "user@server",
        "server:",
        "server:0",
        "server:65536",
        "server:٣",
        "[server]:1",
        "[127.0.0.1]",
        "[::1",
        "[::1]x",
        "fe80::1%eth0",
        "-server",
        "a..b",
        "1.2.3",
        "x" * 64,
        "\ud800",
    ],
)
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(SettingError, match=r"write it as server\.example"):
        Address.parse(text)


def test_a_url_has_the_port_in_any_case() -> None:
    assert Address.parse("::1").authority == f"[::1]:{DEFAULT_PORT}"
    assert Address.parse("::1").is_ip
    assert not Address.parse("server").is_ip
