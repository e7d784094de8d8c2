"""A whole is as good as its worst check, and each says how it is mended."""

from __future__ import annotations

import io
import json

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from handfed.shared.checkup import Check, Outcome, as_json, exit_status, look, print_checks, worst
from handfed.shared.errors import StorageError

checks = st.lists(st.builds(Check, st.text(max_size=10), st.sampled_from(Outcome), st.text(), st.text()), max_size=8)


@given(checks, checks)
def test_the_worst_of_two_lists_is_the_worse_of_their_worst(some: list[Check], others: list[Check]) -> None:
    assert worst(some + others) is max(worst(some), worst(others), key=lambda outcome: outcome.rank)
    assert worst(some + others) is worst(others + some)


@given(checks)
def test_only_a_failure_is_a_status_of_1(found: list[Check]) -> None:
    assert exit_status(found) == any(check.outcome is Outcome.FAILURE for check in found)


@given(checks)
def test_the_json_holds_everything(found: list[Check]) -> None:
    document = json.loads(json.dumps(as_json(found)))
    assert [Check(**{**each, "outcome": Outcome(each["outcome"])}) for each in document["checks"]] == found
    assert document["outcome"] == worst(found)


@given(checks)
def test_the_terminal_shows_everything_and_obeys_nothing(found: list[Check]) -> None:
    out = io.StringIO()
    print_checks(Console(file=out, highlight=False, width=10_000), found)
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count("to mend: ") >= sum(bool(check.mend) for check in found)


def test_a_message_is_cut_where_it_turns_from_what_was_wrong_to_what_to_do() -> None:
    def failing() -> Check:
        raise StorageError("it ended at 12:00: so it is; start it: anew")

    assert look("x", failing) == Check.failure("x", "it ended at 12:00: so it is; start it", "anew")
    assert look("x", lambda: Check.ok("x", "fine")) == Check.ok("x", "fine")
    assert Check.of_error("x", StorageError("no advice")).found == "no advice"
