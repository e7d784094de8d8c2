"""What devices are to use: channels, pins and buckets."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared import registry
from handfed.shared.errors import ManifestError
from handfed.shared.registry import Channel, Pin, Trial, bucket_of

SALT = "0123456789abcdef" * 2
RELEASES = st.integers(1, 10**6)
SALTS = st.text("0123456789abcdef", min_size=32, max_size=32)
TRIALS = st.builds(Trial, RELEASES, st.integers(0, 100), SALTS)
CHANNELS = st.builds(
    Channel,
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    st.none() | RELEASES,
    st.none() | TRIALS,
    st.sets(RELEASES, max_size=3).map(lambda found: tuple(sorted(found))),
)


@given(CHANNELS)
def test_a_channel_is_read_as_it_was_written(channel: Channel) -> None:
    assert Channel.decode(channel.encode(), where="here") == channel


@given(RELEASES)
def test_a_pin_is_read_as_it_was_written(release: int) -> None:
    assert Pin.decode(Pin("digits", release).encode(), where="here") == Pin("digits", release)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 100))
def test_a_trial_that_grows_lets_no_device_go(bucket: int, percent: int, more: int) -> None:
    def used(of: int) -> int | None:
        return Channel("digits", 3, Trial(5, of, SALT)).release_for(bucket)

    grown = max(percent, more)
    assert used(percent) == 3 or used(grown) == 5
    assert used(0) == 3
    assert used(100) == 5


def test_a_canary_uses_a_trial_as_soon_as_it_has_begun() -> None:
    assert Channel("digits", 3, Trial(5, 0, SALT)).release_for(0, "canary") == 3
    assert Channel("digits", 3, Trial(5, 1, SALT)).release_for(99, "canary") == 5
    assert Channel("digits", 3, Trial(5, 1, SALT)).release_for(99) == 3


def test_what_is_withdrawn_is_used_by_nobody() -> None:
    assert Channel("digits", 3, withdrawn=(3,)).release_for(0) is None
    assert Channel("digits", 3, Trial(5, 100, SALT), withdrawn=(5,)).release_for(0) == 3


def test_buckets_are_spread_evenly_and_another_salt_draws_others() -> None:
    devices = [f"{number:064x}" for number in range(20_000)]
    counts = Counter(bucket_of(device, SALT) for device in devices)
    assert set(counts) == set(range(100))
    assert max(counts.values()) < 300  # of 200 expected, with a standard deviation of 14
    again = [bucket_of(device, SALT[::-1]) for device in devices]
    same = sum(one == bucket_of(device, SALT) for one, device in zip(again, devices, strict=True))
    assert same < 300


def test_a_pin_has_its_name_by_device_and_task() -> None:
    names = {registry.pin_path(f"{device:064x}", task) for device in (1, 2) for task in ("digits", "words")}
    assert len(names) == 4
    assert not any("digits" in name for name in names)


@pytest.mark.parametrize("task", ["", "../x", "A", "a/b", "a" * 65, "ä"])
def test_a_task_without_a_plain_name_has_no_channel(task: str) -> None:
    with pytest.raises(ManifestError, match="plain name"):
        registry.channel_path(task)


@pytest.mark.parametrize(
    "change",
    [
        {"champion": 0},
        {"champion": True},
        {"champion": "3"},
        {"task": "a/b"},
        {"withdrawn": 3},
        {"withdrawn": [0]},
        {"trial": {"release": 5, "percent": 101, "salt": SALT}},
        {"trial": {"release": 5, "percent": 5.0, "salt": SALT}},
        {"trial": {"release": 5, "percent": 5, "salt": "x"}},
        {"trial": []},
        {"format": 2},
        {"format": True},
    ],
)
def test_what_is_no_channel_is_refused(change: dict[str, object]) -> None:
    value = {**json.loads(Channel("digits", 3).encode()), **change}
    with pytest.raises(ManifestError, match=r"here: .*(operator|update)"):
        Channel.decode(json.dumps(value).encode(), where="here")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 10_000])
def test_what_is_no_document_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestError):
        Pin.decode(content, where="here")


def test_unknown_fields_are_passed_over() -> None:
    value = {**json.loads(Channel("digits", 3).encode()), "colour": "red"}
    assert Channel.decode(json.dumps(value).encode(), where="here") == Channel("digits", 3)
