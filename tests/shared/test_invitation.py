"""A code survives how people copy it, and every mistyped one is found out."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.address import Address
from handfed.shared.errors import InvitationError, SettingError
from handfed.shared.invitation import Invitation

KEY = bytes(range(32))
EXAMPLE = Invitation("server.example", KEY, bytes(32))
addresses = st.sampled_from(["server.example", "[2001:db8::7]:9000", "192.0.2.7", "a", "b" * 63 + ".example:1"])
invitations = st.builds(Invitation, addresses, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))


@given(invitations)
def test_a_code_is_read_as_it_was_written(invitation: Invitation) -> None:
    assert Invitation.decode(invitation.encode()) == invitation


@given(invitations, st.integers())
def test_case_blanks_breaks_and_dashes_do_not_count(invitation: Invitation, seed: int) -> None:
    noise = ["", " ", "\n", "\r\n", "-", "\N{EM DASH}", "\N{NO-BREAK SPACE}", "\N{SOFT HYPHEN}", "\ufeff"]
    chosen = random.Random(seed)  # noqa: S311 - a copy, not a secret
    characters = [c for c in invitation.encode() if c != "-"]
    copied = "".join(chosen.choice(noise) + chosen.choice([c, c.upper()]) for c in characters)
    assert Invitation.decode(copied) == invitation


@given(invitations, st.data())
def test_every_single_wrong_character_is_found(invitation: Invitation, data: st.DataObject) -> None:
    code = invitation.encode()
    at = data.draw(st.sampled_from([place for place, c in enumerate(code) if c != "-"]))
    other = data.draw(st.characters().filter(lambda c: c.lower() != code[at] or not c.isascii()))
    with pytest.raises(InvitationError):
        Invitation.decode(code[:at] + other + code[at + 1 :])


def test_every_wrong_letter_or_digit_at_every_place_of_a_code_is_found() -> None:
    code = EXAMPLE.encode()
    for at, right in enumerate(code):
        for wrong in string.ascii_lowercase + string.digits:
            if right not in ("-", wrong):
                with pytest.raises(InvitationError):
                    Invitation.decode(code[:at] + wrong + code[at + 1 :])


@given(invitations, st.data())
def test_a_lost_a_doubled_and_a_swapped_character_are_found(invitation: Invitation, data: st.DataObject) -> None:
    code = invitation.encode().replace("-", "")
    at = data.draw(st.integers(0, len(code) - 2))
    wrong = [code[:at] + code[at + 1 :], code[: at + 1] + code[at:], code[:at]]
    if code[at] != code[at + 1]:
        wrong.append(code[:at] + code[at + 1] + code[at] + code[at + 2 :])
    for text in wrong:
        with pytest.raises(InvitationError):
            Invitation.decode(text)


@given(st.text())
def test_any_text_is_an_invitation_or_refused(text: str) -> None:
    for code in (text, "handfed-1-" + text):
        with pytest.raises(InvitationError):
            Invitation.decode(code)


def test_what_is_no_code_a_mistyped_one_and_a_newer_one_are_told_apart() -> None:
    code = EXAMPLE.encode()
    with pytest.raises(InvitationError, match=r"no invitation: a code begins with handfed-1-"):
        Invitation.decode("https://server.example")
    with pytest.raises(InvitationError, match="not copied rightly"):
        Invitation.decode(code[:-1])
    with pytest.raises(InvitationError, match=r"of version '2'.*update handfed"):
        Invitation.decode(code.replace("-1-", "-2-", 1))


@given(invitations)
def test_neither_a_refusal_nor_the_repr_shows_the_secret(invitation: Invitation) -> None:
    code = invitation.encode()
    with pytest.raises(InvitationError) as refusal:
        Invitation.decode(code + "a")
    assert code[-20:] not in str(refusal.value)
    assert "secret" not in repr(invitation)


def test_an_address_is_kept_in_its_one_form() -> None:
    assert Invitation("Server.Example:8443", KEY, KEY).address == "server.example"
    assert str(Address.parse(EXAMPLE.address)) == EXAMPLE.address


@pytest.mark.parametrize(("fingerprint", "secret"), [(KEY[1:], KEY), (KEY, KEY[1:]), (KEY, b"")])
def test_bytes_that_are_too_few_are_refused(fingerprint: bytes, secret: bytes) -> None:
    with pytest.raises(SettingError, match="32"):
        Invitation("server", fingerprint, secret)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="no address"):
        Invitation("https://server", KEY, KEY)


def test_codes_of_version_1_stay_readable() -> None:
    """This text is of the first release; a change of the format must not break codes that are out."""
    assert (
        Invitation.decode(
            "handfed-1-aaaqe-ayeau-daoca-jbifq-ydiob-4ibce-qtcqk-rmfyy-denbw-ha5dy-pqaaa-aaaaa-aaaaa-aaaaa-aaaaa"
            "-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aadtm-vzhmz-lsfzs-xqyln-obwgk-u2wqq-sa"
        )
        == EXAMPLE
    )
