"""What is shown on a terminal cannot command it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.printable import printable


def test_escape_sequences_are_replaced_and_text_stays() -> None:
    assert printable("\x1b[2Jscan\x07.png") == "\N{REPLACEMENT CHARACTER}[2Jscan\N{REPLACEMENT CHARACTER}.png"
    assert printable("naïve 手写\n\tz") == "naïve 手写\n\tz"


@given(st.text(st.characters()))
def test_what_is_left_can_be_encoded_and_is_as_long(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert len(shown) == len(text)
    assert "\x1b" not in shown
