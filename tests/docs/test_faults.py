"""Every row of the table of faults is a test on real processes."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAULTS, HOSTILE, REAL = "test_faults.py", "test_hostile_devices.py", "test_real_federation.py"
TESTS = {
    "weights that are not finite (NaN)": (HOSTILE, '"nan"'),
    "an array of another length": (HOSTILE, '"shape"'),
    "an array of another dtype": (HOSTILE, '"dtype"'),
    "no array": (HOSTILE, '"missing"'),
    "an array of an older or other schema": (HOSTILE, '"schema"'),
    "10^12 samples": (HOSTILE, '"trillion"'),
    "a negative number of samples": (HOSTILE, '"negative"'),
    "an update a hundred times as far as others": (HOSTILE, '"scaled"'),
    "a device whose software is older than the server's": (FAULTS, "test_an_old_device_is_told_from_a_broken_one"),
    "training raises an error": (HOSTILE, '"raises"'),
    "the trainer's process exits": (HOSTILE, '"exits"'),
    "training hangs": (HOSTILE, '"hangs"'),
    "the device is killed at work, and comes back": (
        FAULTS,
        "test_a_device_that_is_killed_at_work_is_back_for_the_next_round",
    ),
    "its network is cut for a minute": (
        FAULTS,
        "test_a_network_that_is_cut_costs_its_device_the_rounds_of_that_time",
    ),
    "its network is cut for seconds": (FAULTS, "test_a_short_cut_loses_no_message"),
    "its clock is an hour off": (FAULTS, "test_a_clock_that_is_an_hour_off_is_told_and_does_no_harm"),
    "the disk of a device is full": (FAULTS, "test_a_full_disk_of_a_device_keeps_it_from_no_round"),
    "it is revoked in the midst of a round": (
        FAULTS,
        "test_a_device_that_is_revoked_at_work_costs_the_round_nothing_else",
    ),
    "SuperLink, which is a part of the serving process, is killed": (
        FAULTS,
        "test_a_superlink_that_is_killed_is_back_by_itself",
    ),
    "the whole server is killed, or loses power": (
        REAL,
        "test_a_federation_trains_through_the_death_of_its_server_and_publishes",
    ),
    "the database is locked by another program": (FAULTS, "test_a_locked_database_is_waited_for"),
    "the disk of the server is full": (FAULTS, "test_a_full_disk_of_the_server_is_waited_for"),
    "its certificate ended while it was off": (
        FAULTS,
        "test_a_certificate_that_ended_while_the_server_was_off_is_renewed",
    ),
    "the federation's CA has ended, after twenty years": (FAULTS, "test_a_federation_whose_ca_has_ended_says_so"),
    "it moves to another address or port": (FAULTS, "test_a_server_that_moves_is_followed_without_a_new_invitation"),
}


def rows() -> list[str]:
    """What happens, by the first column of the tables of the page."""
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    return [row for row in re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE) if row != "what happens"]


def test_every_row_has_its_test_and_every_test_its_row() -> None:
    assert sorted(rows()) == sorted(TESTS)


def test_the_tests_are_there() -> None:
    texts = {name: (ROOT / "tests" / "e2e" / name).read_text(encoding="utf-8") for name in (FAULTS, HOSTILE, REAL)}
    assert not [row for row, (file, words) in TESTS.items() if words not in texts[file]]
