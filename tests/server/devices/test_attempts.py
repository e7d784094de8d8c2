"""How often an address may try."""

from __future__ import annotations

import pytest

from handfed.server.devices import attempts as module
from handfed.server.devices.attempts import Attempts
from handfed.shared.errors import TooManyAttemptsError


class Seconds:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_an_address_has_so_many_attempts_a_minute() -> None:
    clock = Seconds()
    attempts = Attempts(3, clock)
    for _ in range(3):
        attempts.count("192.0.2.7")
    clock.at += 20.5
    with pytest.raises(TooManyAttemptsError, match="wait 40 seconds") as refused:
        attempts.count("192.0.2.7")
    assert refused.value.retry_after_s == 40
    attempts.count("192.0.2.8")
    clock.at += 40
    attempts.count("192.0.2.7")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("unknown", "unknown", True),
    ],
)
def test_what_one_customer_has_counts_as_one(one: str, other: str, is_same: bool) -> None:
    attempts = Attempts(1, Seconds())
    attempts.count(one)
    if is_same:
        with pytest.raises(TooManyAttemptsError):
            attempts.count(other)
    else:
        attempts.count(other)


def test_many_addresses_take_no_more_memory_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ADDRESSES", 10)
    clock = Seconds()
    attempts = Attempts(1, clock)
    for number in range(100):
        clock.at += 0.1
        attempts.count(f"192.0.2.{number}")
    assert len(attempts._windows) == 10
    with pytest.raises(TooManyAttemptsError):
        attempts.count("192.0.2.99")  # the newest are known
