"""Who is trained on, and who is held out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.store.sealing import Secrets
from handfed.clients.device.store.split import HELD_OUT, is_held_out

SECRETS = Secrets(bytes(32))


@given(name=st.text(min_size=1), first=st.binary(), second=st.binary())
def test_a_writer_is_on_one_side_with_every_picture(name: str, first: bytes, second: bytes) -> None:
    assert is_held_out(SECRETS, name, first) == is_held_out(SECRETS, name, second)


@given(image=st.binary())
def test_encryption_changes_no_side(image: bytes) -> None:
    assert is_held_out(SECRETS, None, image) == is_held_out(SECRETS.encrypting(), None, image)


def test_a_fifth_of_writers_and_of_nameless_pictures_is_held_out() -> None:
    writers = sum(is_held_out(SECRETS, f"writer {number}", b"") for number in range(5000))
    pictures = sum(is_held_out(SECRETS, None, str(number).encode()) for number in range(5000))
    assert abs(writers / 5000 - HELD_OUT) < 0.03
    assert abs(pictures / 5000 - HELD_OUT) < 0.03


def test_sides_are_those_of_this_store() -> None:
    other = Secrets(bytes([1]) * 32)
    names = [f"writer {number}" for number in range(200)]
    assert [is_held_out(SECRETS, name, b"") for name in names] != [is_held_out(other, name, b"") for name in names]
