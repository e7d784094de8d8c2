"""Who is trained on, and who is held out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handfed.clients.device.store.sealing import Secrets
from handfed.clients.device.store.split import HELD_OUT, image_is_held_out, writer_is_held_out

SECRETS = Secrets(bytes(32))


@given(name=st.text(min_size=1), image=st.binary())
def test_encryption_changes_no_side(name: str, image: bytes) -> None:
    assert writer_is_held_out(SECRETS, name) == writer_is_held_out(SECRETS.encrypting(), name)
    assert image_is_held_out(SECRETS, image) == image_is_held_out(SECRETS.encrypting(), image)


def test_a_fifth_of_writers_and_of_nameless_pictures_is_held_out() -> None:
    writers = sum(writer_is_held_out(SECRETS, f"writer {number}") for number in range(5000))
    pictures = sum(image_is_held_out(SECRETS, str(number).encode()) for number in range(5000))
    assert abs(writers / 5000 - HELD_OUT) < 0.03
    assert abs(pictures / 5000 - HELD_OUT) < 0.03


def test_sides_are_those_of_this_store() -> None:
    other = Secrets(bytes([1]) * 32)
    names = [f"writer {number}" for number in range(200)]
    assert [writer_is_held_out(SECRETS, name) for name in names] != [writer_is_held_out(other, name) for name in names]
