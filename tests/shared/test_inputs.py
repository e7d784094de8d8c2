"""What is seen beside the ink is named once, and plainly."""

from __future__ import annotations

import pytest

from handfed.shared.errors import SettingError
from handfed.shared.inputs import CHANNELS, FROM_STROKES, channels, parse


def test_kinds_are_parted_by_commas_in_the_order_given() -> None:
    assert parse("") == ()
    assert parse("pen,topology") == ("pen", "topology")
    assert parse(" topology, size ") == ("topology", "size")


def test_the_ink_counts_among_the_channels() -> None:
    assert channels(()) == 1
    assert channels(tuple(CHANNELS)) == 7
    assert set(CHANNELS) >= FROM_STROKES


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ("colour", "there is no 'colour'; choose of topology, size, pen"),
        ("topology,colour", "there is no 'colour'"),
        ("pen;size", "there is no 'pen;size'"),
        ("size,pen,size", "names a kind twice"),
    ],
)
def test_a_kind_that_is_not_there_or_named_twice_is_refused(inputs: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        parse(inputs)
