"""What one device does wrong costs a round that device and nothing else: a real federation of three, one is bad."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from handfed.clients.edge import Recogniser

if TYPE_CHECKING:
    from tests.e2e.conftest import Federation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # of a busy machine, whose imports take minutes

BAD = 2
# What the bad device does in a round, and why its answer was not used.
ROUNDS = {
    1: ("nan", "not-finite"),
    2: ("shape", "wrong-shape"),
    3: ("dtype", "wrong-dtype"),
    4: ("missing", "wrong-names"),
    5: ("trillion", "impossible-count"),
    6: ("negative", "impossible-count"),
    7: ("scaled", "too-long"),
    8: ("schema", "wrong-names"),
    9: ("hangs", "device-error"),
    10: ("exits", "device-error"),
    11: ("raises", "device-error"),
}
LAST = 14


@dataclass
class Outcome:
    """What is left when the run is over."""

    record: dict[str, Any]
    federation: Federation

    @cached_property
    def bad_node(self) -> int:
        """What the record calls the bad device."""
        (node,) = (each["node_id"] for each in self.federation.devices() if each["name"] == f"room {BAD}")
        return int(node)


@pytest.fixture(scope="module")
def outcome(new_federation: Any) -> Outcome:
    federation: Federation = new_federation()
    federation.serve()
    for number in range(3):
        federation.join(number)
    faults = {str(number): fault for number, (fault, _) in ROUNDS.items()}
    (federation.device(BAD) / "faults.json").write_text(json.dumps(faults))
    for number in range(BAD):
        federation.run_device(number)
    federation.run_faulty_device(BAD)
    run = federation.start_run(rounds=LAST, qat_rounds=1, local_epochs=1, evaluate_every=100, float_margin=1.0)
    return Outcome(federation.ended(run), federation)


def test_the_run_comes_to_its_end(outcome: Outcome) -> None:
    assert outcome.record["run"]["status"] == "done", outcome.record["run"]["error"]
    assert len(outcome.record["rounds"]) == LAST


@pytest.mark.parametrize(("number", "reason"), [(number, why) for number, (_, why) in ROUNDS.items()], ids=str)
def test_a_bad_update_is_left_out_with_a_reason(outcome: Outcome, number: int, reason: str) -> None:
    found = [each for each in outcome.record["rejections"] if each["round"] == number]
    assert [(each["device"], each["reason"]) for each in found] == [(outcome.bad_node, reason)]
    assert outcome.record["rounds"][number - 1]["accepted"] == 2


def test_good_devices_and_good_rounds_are_not_rejected(outcome: Outcome) -> None:
    assert {each["device"] for each in outcome.record["rejections"]} == {outcome.bad_node}
    assert [each["accepted"] for each in outcome.record["rounds"][len(ROUNDS) :]] == [3] * (LAST - len(ROUNDS))


def test_the_release_reads_as_if_nobody_had_been_bad(outcome: Outcome) -> None:
    release = Recogniser.open(outcome.federation.data / "releases" / "0001")
    release.self_test()
    assert outcome.record["run"]["summary"]["accuracy_int8"] > 0.5


def test_the_operator_of_the_bad_device_reads_why(outcome: Outcome) -> None:
    log = outcome.federation.log(f"device{BAD}")
    assert "trainer failed with ValueError" in log
    assert "the trainer's process ended (with status 7)" in log
    assert "hung or was too slow, and was killed after 60 s" in log


def test_what_a_device_raised_stays_there(outcome: Outcome) -> None:
    assert "pupil-" not in json.dumps(outcome.record) + outcome.federation.log("server")
