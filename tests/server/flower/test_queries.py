"""Many devices are asked in parts, and of very many only some measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from flwr.common.constant import ErrorCode

from handfed.server.flower import queries as asking
from handfed.server.flower.exchange import PART, collect
from handfed.server.flower.queries import MOST_ASKED, Queries, Verdict
from handfed.shared import wire
from handfed.shared.calibration import TEMPERATURES, TemperatureCurve
from handfed.shared.disclosure import ClassCount, Confusion, Detail
from handfed.shared.errors import QuorumError
from handfed.shared.wire import ArraySpec, Role, Schema
from handfed.simulations.engines.grid import Answer, LocalGrid, Question, identify

SCHEMA = Schema((ArraySpec("mean", (1,), Role.MEAN), ArraySpec("second", (1,), Role.SECOND_MOMENT)))


class Devices:
    """Devices that say how many samples they have, measure their own node id, and judge as they are told to."""

    def __init__(
        self, count: int, silent: frozenset[int] = frozenset(), verdicts: Mapping[int, Mapping[str, Any]] | None = None
    ) -> None:
        identify()
        self.asked: Counter[str] = Counter()
        self.most_at_once = 0
        self._silent = silent
        self._verdicts = verdicts or {}
        self.grid = LocalGrid(self._carry, count, lambda *_: None)

    def _carry(self, questions: Sequence[Question]) -> Iterator[Answer]:
        self.most_at_once = max(self.most_at_once, len(questions))
        for message, context in questions:
            self.asked[message.metadata.message_type] += 1
            yield self._answer(message, context.node_id), context

    def _answer(self, message: Message, node: int) -> Message:
        if node in self._silent and message.metadata.message_type != wire.DESCRIBE:
            return Message(Error(ErrorCode.NODE_UNAVAILABLE), reply_to=message)
        held_out = 10 if self._verdicts else 0
        metrics = MetricRecord({wire.WIRE_VERSION: wire.VERSION, wire.NUM_EXAMPLES: 10, wire.NUM_HELD_OUT: held_out})
        if message.metadata.message_type in {wire.JUDGE, wire.EVALUATE}:
            metrics = MetricRecord({wire.WIRE_VERSION: wire.VERSION, **self._verdicts[node]})
        content = RecordDict({wire.METRICS: metrics})
        if message.metadata.message_type == wire.MEASURE:
            content[wire.ARRAYS] = ArrayRecord({SCHEMA.title: Array(np.array([node, node**2 + 1], np.float32))})
        return Message(content, reply_to=message)

    def queries(self, quorum: float = 0.5) -> Queries:
        common = {wire.WIRE_VERSION: wire.VERSION, "seed": 0}
        return Queries(self.grid, common, deadline_s=1, quorum=quorum, by_sums=False, classes=3)


def test_devices_are_asked_in_parts_so_that_memory_does_not_grow_with_them() -> None:
    devices = Devices(3 * PART + 1)
    queries = devices.queries()
    queries.describe()
    assert len(queries.devices) == 3 * PART + 1
    assert devices.most_at_once == PART


def test_of_few_devices_all_measure_and_of_many_a_sample_that_the_seed_gives() -> None:
    few, many = Devices(5), Devices(4 * MOST_ASKED)
    found = []
    for devices in (few, many, many):
        queries = devices.queries()
        queries.describe()
        found.append(float(queries.measure(ArrayRecord(), SCHEMA)["mean"][0]))
    assert found[0] == 3.0  # the mean of 1 to 5
    assert (few.asked[wire.MEASURE], many.asked[wire.MEASURE]) == (5, 2 * MOST_ASKED)
    assert found[1] == found[2] != 4 * MOST_ASKED / 2 + 0.5
    assert found[1] == pytest.approx(2 * MOST_ASKED, rel=0.2)


def test_too_few_answers_end_the_run_with_what_was_missing() -> None:
    devices = Devices(4, silent=frozenset({1, 2, 3}))
    queries = devices.queries(quorum=0.5)
    queries.describe()
    with pytest.raises(QuorumError, match="only 1 of 4 devices measured"):
        queries.measure(ArrayRecord(), SCHEMA)


def test_who_is_not_there_is_not_asked_and_a_quorum_is_of_those_who_are() -> None:
    devices = Devices(4, verdicts=dict.fromkeys(range(1, 5), EVALUATED))
    queries = devices.queries(quorum=1.0)
    queries.describe()
    devices.grid.get_node_ids = lambda: [2, 3]  # type: ignore[method-assign]
    queries.describe()
    assert float(queries.measure(ArrayRecord(), SCHEMA)["mean"][0]) == 2.5
    assert [counted.device for counted, _ in queries.evaluate(ArrayRecord(), quantized=False)] == [2, 3]
    assert devices.asked[wire.MEASURE] == devices.asked[wire.EVALUATE] == 2


@pytest.mark.parametrize(("silent", "good"), [(frozenset[int](), 4), (frozenset({2}), 3)])
def test_nobody_is_waited_for_once_enough_have_answered(silent: frozenset[int], good: int) -> None:
    devices = Devices(4, silent)
    messages = [Message(RecordDict(), dst_node_id=node, message_type=wire.MEASURE) for node in (1, 2, 3, 4)]
    found = collect(devices.grid, messages, enough=3, deadline_s=60)
    assert sum(not reply.has_error() for reply in found) == good


def test_who_has_come_is_asked_and_who_is_there_is_not_asked_again() -> None:
    devices = Devices(4)
    queries = devices.queries()
    for present, coming in (([1, 2], 2), ([1, 2], 0), ([1, 2, 3], 1), ([3], 0), ([2, 3], 1), ([], 0), ([1, 4], 2)):
        devices.grid.get_node_ids = lambda present=present: present  # type: ignore[method-assign, misc]
        before = devices.asked[wire.DESCRIBE]
        assert (queries.describe() is not None) == bool(coming)
        assert devices.asked[wire.DESCRIBE] - before == coming
        assert queries.there == frozenset(present)
    assert sorted(queries.devices) == [1, 2, 3, 4]


def test_who_takes_long_to_describe_itself_keeps_nobody_waiting_and_counts_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "_NEWCOMERS_S", 0.0)
    devices = Devices(2)
    queries = devices.queries()
    devices.grid.get_node_ids = lambda: [1]  # type: ignore[method-assign]
    queries.describe()
    devices.grid.get_node_ids = lambda: [1, 2]  # type: ignore[method-assign]
    monkeypatch.setattr(devices.grid, "pull_messages", lambda _: [])
    assert queries.describe() is None
    assert queries.describe() is None
    assert queries.training == [1]
    monkeypatch.undo()
    assert queries.describe() == ()
    assert queries.training == [1, 2]
    assert devices.asked[wire.DESCRIBE] == 2


def test_who_has_other_handwriting_than_it_said_is_asked_again() -> None:
    devices = Devices(3)
    queries = devices.queries()
    queries.describe()
    queries.ask_again([2])
    assert queries.describe() == ()
    assert queries.describe() is None
    assert devices.asked[wire.DESCRIBE] == 4


NATS = (np.abs(np.log2(TEMPERATURES)) + 0.1).tolist()  # least at 1
FINE: dict[str, Any] = {
    wire.NUM_EXAMPLES: 10,
    wire.NUM_CORRECT: 9,
    wire.INT8_CORRECT: 8,
    wire.ONLY_FLOAT_CORRECT: 1,
    wire.ONLY_INT8_CORRECT: 0,
    wire.NUM_CHARACTERS: 10,
    wire.NUM_EDITS: 1,
    wire.INT8_EDITS: 2,
    wire.CURVE_EXAMPLES: 10,
    wire.CURVE: NATS,
}


def judged(*verdicts: Mapping[str, Any]) -> tuple[Verdict, TemperatureCurve, Detail]:
    devices = Devices(len(verdicts), verdicts=dict(enumerate(verdicts, start=1)))
    queries = devices.queries()
    queries.describe()
    return queries.judge(ArrayRecord(), b"a model")


def test_verdicts_and_curves_of_devices_add_up() -> None:
    cold = {**FINE, wire.CURVE: [5 * nats for nats in NATS[4:] + NATS[-1:] * 4], wire.CURVE_EXAMPLES: 4}
    verdict, curve, _ = judged(FINE, cold)
    assert verdict == Verdict(20, 18, 16, 2, 0, 20, 2, 4)
    assert curve.samples == 14
    assert curve.nats.tolist() == pytest.approx((np.array(NATS) + cold[wire.CURVE]).tolist())
    assert curve.temperature() < 1 == judged(FINE)[1].temperature()


@pytest.mark.parametrize(
    "wrong",
    [
        {wire.CURVE: NATS[:-1]},
        {wire.CURVE: [*NATS, 1.0]},
        {wire.CURVE: []},
        {wire.CURVE: 1.0},
        {wire.CURVE: [-0.1, *NATS[1:]]},
        {wire.CURVE: [float("nan"), *NATS[1:]]},
        {wire.CURVE: [float("inf"), *NATS[1:]]},
        {wire.CURVE: [1e12, *NATS[1:]]},
        {wire.CURVE_EXAMPLES: 0},  # and yet nats
        {wire.CURVE_EXAMPLES: 11},
        {wire.CURVE_EXAMPLES: -1},
        {wire.CURVE_EXAMPLES: 9.5},
    ],
)
def test_a_device_whose_curve_makes_no_sense_is_left_out(wrong: Mapping[str, Any]) -> None:
    verdict, curve, _ = judged(FINE, {**FINE, **wrong}, FINE)
    assert verdict.samples == curve.samples == 20
    assert curve.nats.tolist() == pytest.approx((2 * np.array(NATS)).tolist())


EVALUATED: dict[str, Any] = {**FINE, wire.LOSS: 0.5, wire.WRITERS: [1, *[0] * 18, 9]}
TOLD = {wire.CLASSES: [2], wire.CLASS_SAMPLES: [10], wire.CLASS_CORRECT: [9]}


def test_what_a_device_says_beside_totals_is_given_with_them() -> None:
    answers = EVALUATED, {**FINE, wire.LOSS: 0.5}, {**EVALUATED, **TOLD}
    devices = Devices(3, verdicts=dict(enumerate(answers, start=1)))
    queries = devices.queries()
    queries.describe()
    found = list(queries.evaluate(ArrayRecord(), quantized=False))
    assert [(counted.device, counted.held_out, counted.correct) for counted, _ in found] == [
        (1, 10, 9), (2, 10, 9), (3, 10, 9)
    ]  # fmt: skip
    writers = tuple(EVALUATED[wire.WRITERS])
    assert [detail for _, detail in found] == [Detail(writers), Detail(), Detail(writers, (ClassCount(2, 10, 9),))]


@pytest.mark.parametrize(
    "wrong",
    [
        {wire.WRITERS: [2, *[0] * 18, 8]},  # two made an error, and there is one
        {wire.WRITERS: [1] * 10},
        {**TOLD, wire.CLASSES: [3]},
        {**TOLD, wire.CLASS_CORRECT: [10]},
        {**TOLD, wire.CLASS_SAMPLES: [9]},
    ],
)
def test_a_device_whose_answer_does_not_fit_its_totals_is_left_out(wrong: Mapping[str, Any]) -> None:
    devices = Devices(2, verdicts={1: EVALUATED, 2: {**EVALUATED, **wrong}})
    queries = devices.queries()
    queries.describe()
    assert [counted.device for counted, _ in queries.evaluate(ArrayRecord(), quantized=False)] == [1]


def test_a_device_that_holds_out_more_than_it_said_is_asked_how_much() -> None:
    devices = Devices(2, verdicts={1: EVALUATED, 2: {**EVALUATED, wire.NUM_EXAMPLES: 11}})
    queries = devices.queries()
    queries.describe()
    assert [counted.device for counted, _ in queries.evaluate(ArrayRecord(), quantized=False)] == [1]
    assert queries.describe() == ()
    assert devices.asked[wire.DESCRIBE] == 3


CONFUSED = {
    wire.CLASSES: [2],
    wire.CLASS_SAMPLES: [10],
    wire.CLASS_CORRECT: [8],
    wire.CONFUSED_WRITTEN: [2, 2],
    wire.CONFUSED_READ: [0, 1],
    wire.CONFUSED_SAMPLES: [1, 1],
}


def test_of_a_file_the_federation_is_told_how_classes_are_confused_from_five_devices_on() -> None:
    four, five = (judged(*[{**FINE, **CONFUSED}] * count, FINE)[2] for count in (4, 5))
    assert four == Detail()
    assert five == Detail((), (ClassCount(2, 50, 40),), (Confusion(2, 0, 5), Confusion(2, 1, 5)))


@pytest.mark.parametrize(
    "wrong",
    [
        {wire.CONFUSED_SAMPLES: [1, 2]},  # three wrong readings, of two
        {wire.CONFUSED_SAMPLES: [2, 0]},
        {wire.CONFUSED_READ: [0, 2]},  # which is right
        {wire.CONFUSED_READ: [0, 3]},  # of an alphabet of three
        {wire.CONFUSED_READ: [1, 0]},
        {wire.CONFUSED_READ: [1, 1]},
        {wire.CONFUSED_WRITTEN: [1, 2]},  # of which nothing is told
        {wire.CONFUSED_WRITTEN: [2]},
        {wire.CONFUSED_WRITTEN: 2},  # no list
    ],
)
def test_a_device_whose_confusions_do_not_fit_is_left_out(wrong: Mapping[str, Any]) -> None:
    verdict, curve, _ = judged({**FINE, **CONFUSED, **wrong}, FINE)
    assert verdict.samples == curve.samples == 10


@pytest.mark.parametrize("missing", [wire.CURVE, wire.CURVE_EXAMPLES])
def test_a_device_without_a_curve_is_left_out(missing: str) -> None:
    verdict, curve, _ = judged({name: value for name, value in FINE.items() if name != missing}, FINE)
    assert verdict.samples == curve.samples == 10


def test_a_curve_may_leave_out_samples() -> None:
    """A text that cannot be said in so few steps has no likelihood at any temperature."""
    verdict, curve, _ = judged({**FINE, wire.CURVE_EXAMPLES: 0, wire.CURVE: [0.0] * len(NATS)})
    assert (verdict.samples, curve.samples, curve.temperature()) == (10, 0, 1.0)
