"""Devices come and go while a run goes on; what they answer is made up, all else is the server's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict

from handfed.server.flower import course as courses
from handfed.server.flower.course import Course
from handfed.server.flower.queries import Device
from handfed.server.flower.state import RunState
from handfed.server.runs.schemas import Rejection, RoundResult
from handfed.shared import wire
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import QuorumError
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import Subject
from handfed.shared.tf.training import Trainer, trainer
from handfed.shared.wire import Role
from handfed.simulations.engines.grid import Answer, LocalGrid, Question, identify

SAMPLES = 10
SUBJECT = Subject(Alphabet(tuple("0123456789")))
SETTINGS = RunSettings(
    recogniser="lenet", rounds=4, qat_rounds=0, batch_statistics="running", evaluate_every=100, sampling="fair"
)


EVALUATED: dict[str, Any] = {
    wire.NUM_EXAMPLES: 40,
    wire.NUM_CORRECT: 36,
    wire.NUM_CHARACTERS: 40,
    wire.NUM_EDITS: 4,
    wire.LOSS: 0.5,
    wire.WRITERS: [0] * 12 + [2, *[0] * 6, 8],
    wire.CLASSES: [0, 7],
    wire.CLASS_SAMPLES: [20, 20],
    wire.CLASS_CORRECT: [19, 17],
}


class Fleet(LocalGrid):
    """Devices that send back what they were sent; who is there follows from the round, to the end as in the last."""

    def __init__(self, present: Mapping[int, Sequence[int]], samples: Mapping[int, int] | None = None) -> None:
        identify()
        super().__init__(self._answers_to, 9, lambda *_: None)
        self.present, self.round, self.looks = present, 1, 0
        self.samples = samples or {}
        self.asked: list[tuple[str, int]] = []

    def get_node_ids(self) -> Sequence[int]:
        self.looks += 1
        return self.present[min(self.round, max(self.present))] if self.present else ()

    def _answers_to(self, questions: Sequence[Question]) -> Iterator[Answer]:
        for message, context in questions:
            self.asked.append((message.metadata.message_type, context.node_id))
            yield self._answer(message, context.node_id), context

    def _answer(self, message: Message, node: int) -> Message:
        kind = message.metadata.message_type
        said: dict[str, Any] = {wire.WIRE_VERSION: wire.VERSION, wire.NUM_EXAMPLES: self.samples.get(node, SAMPLES)}
        content = RecordDict()
        if kind == wire.DESCRIBE:
            said[wire.NUM_HELD_OUT] = 40
        elif kind == wire.EVALUATE:
            said |= EVALUATED
        elif kind == wire.TRAIN:
            carried = message.content.array_records[wire.ARRAYS]
            ((_, array),) = carried.items()
            said |= {wire.LOSS: 1.0, wire.SECONDS: 1.0, wire.START: wire.checksum(array.numpy())}
            content[wire.ARRAYS] = carried
        elif kind == wire.CALIBRATE:
            ranges = local().schema(quantized=True).only(Role.RANGE)
            content[wire.ARRAYS] = ArrayRecord({ranges.title: Array(np.zeros(ranges.size, np.float32))})
        content[wire.METRICS] = MetricRecord(said)
        return Message(content, reply_to=message)


class Rounds:
    """What happened."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.known: list[list[int]] = []
        self.results: list[RoundResult] = []
        self.states: list[RunState] = []

    def described(self, devices: Mapping[int, Device], _: tuple[Rejection, ...]) -> None:
        self.known.append(sorted(devices))

    def round_started(self, *_: object) -> None:
        pass

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        self.results.append(result)
        self.states.append(state)
        self.fleet.round += 1

    @property
    def used(self) -> list[list[int]]:
        return [[device.device for device in result.devices if device.examples] for result in self.results]


def local() -> Trainer:
    return trainer("lenet", 10)


def run(fleet: Fleet, settings: RunSettings = SETTINGS, state: RunState | None = None) -> Rounds:
    told = Rounds(fleet)
    Course(fleet, settings, SUBJECT, local(), [told]).train(state)
    return told


def with_(**changes: Any) -> RunSettings:
    return RunSettings.from_mapping({**SETTINGS.to_mapping(), **changes})


def test_who_comes_later_takes_part_from_the_next_round_on_and_who_left_is_not_asked() -> None:
    fleet = Fleet({1: [1, 2], 2: [1, 2, 3], 3: [2, 3], 4: [1, 2, 3, 4]})
    told = run(fleet)
    assert told.used == [[1, 2], [1, 2, 3], [2, 3], [1, 2, 3, 4]]
    assert told.known == [[1, 2], [1, 2, 3], [1, 2, 3, 4]]
    assert fleet.asked.count((wire.DESCRIBE, 1)) == 2  # once more when it came back
    assert fleet.asked.count((wire.DESCRIBE, 2)) == 1
    assert not any(result.rejections for result in told.results)


def test_a_device_that_has_more_handwriting_than_it_said_is_asked_how_much_and_then_counts() -> None:
    class Growing(Fleet):
        def get_node_ids(self) -> Sequence[int]:
            return [1, 2]

        def _answer(self, message: Message, node: int) -> Message:
            self.samples = {2: 50} if self.round > 1 else {}
            return super()._answer(message, node)

    told = run(Growing({}))
    assert [[(each.device, each.reason) for each in result.rejections] for result in told.results] == [
        [], [(2, "impossible-count")], [], []
    ]  # fmt: skip
    assert [result.examples for result in told.results] == [20, 10, 60, 60]


def test_a_round_waits_for_as_many_devices_as_its_quorum_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courses, "_LOOK_S", 0.0)

    class Late(Fleet):
        def get_node_ids(self) -> Sequence[int]:
            self.looks += 1
            return [1, 2, 3, 4] if self.round == 1 else [1, 2] if self.looks % 10 in {0, 1} else [1]

    fleet = Late({})
    assert run(fleet, with_(rounds=3, quorum=0.5)).used == [[1, 2, 3, 4], [1, 2], [1, 2]]
    assert fleet.looks > 20


def test_a_round_that_nobody_comes_to_changes_nothing_and_three_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courses, "_LOOK_S", 0.2)
    fleet = Fleet({1: [1, 2], 2: []})
    told = Rounds(fleet)
    with pytest.raises(QuorumError, match="3 rounds in a row"):
        Course(fleet, with_(deadline_s=1.0), SUBJECT, local(), [told]).train()
    assert [(result.participants, result.accepted) for result in told.results] == [(2, 2), (0, 0), (0, 0), (0, 0)]
    assert all(np.array_equal(told.states[0].arrays[name], array) for name, array in told.states[3].arrays.items())


def test_a_run_without_any_device_says_so_at_once_and_one_that_goes_on_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courses, "_LOOK_S", 0.0)
    with pytest.raises(QuorumError, match="no device has training samples for this run: none is there"):
        run(Fleet({}))

    class AfterAWhile(Fleet):
        def get_node_ids(self) -> Sequence[int]:
            self.looks += 1
            return [1, 2] if self.looks > 3 else []

    state = run(Fleet({1: [1, 2]}), with_(rounds=1)).states[0]
    assert run(AfterAWhile({}), state=state).used == [[1, 2]] * 3


def test_a_run_comes_to_its_end_where_most_devices_have_gone_home() -> None:
    fleet = Fleet({1: range(1, 10), 2: [4, 7]})
    told = run(fleet, with_(rounds=2, participation=0.3))
    assert [len(used) for used in told.used] == [3, 2]
    assert sorted(device for kind, device in fleet.asked if kind == wire.CALIBRATE) == [4, 7]


def test_turns_are_fair_whoever_is_there_and_go_on_where_a_run_broke_off() -> None:
    days = {number: [device for device in range(1, 7) if (device + number) % 3] for number in range(1, 10)}
    settings = with_(rounds=9, participation=0.5)
    whole = run(Fleet(days), settings)
    taken = [had.taken for had in whole.states[-1].turns.values()]
    assert max(taken) - min(taken) <= 1
    for at in (2, 5):
        fleet = Fleet(days)
        fleet.round = at + 1
        state = RunState.from_bytes(whole.states[at - 1].to_bytes())
        assert run(fleet, settings, state).used == whole.used[at:]


@pytest.mark.parametrize(("visibility", "devices"), [("inspected", 5), ("secure", 5), ("inspected", 4)])
def test_a_round_tells_how_writers_are_read_and_classes_where_enough_devices_tell(
    visibility: str, devices: int
) -> None:
    fleet = Fleet({1: range(1, devices + 1)})
    told = run(fleet, with_(rounds=2, evaluate_every=2, visibility=visibility, clip_update=1.0))
    first, second = told.results
    assert (first.writer_bins, first.class_counts) == ((), ())
    assert second.writer_bins == (*[0] * 12, 2 * devices, *[0] * 6, 8 * devices)
    assert second.class_counts == (((0, 100, 95), (7, 100, 85)) if devices == 5 else ())
    assert second.evaluated == 40 * devices


def test_turns_count_for_nothing_where_everybody_has_the_same_chance() -> None:
    told = run(Fleet({1: range(1, 7)}), with_(sampling="uniform", participation=0.5))
    assert [len(used) for used in told.used] == [3] * 4
    assert all(state.turns == {} for state in told.states)
