"""Many devices are asked in parts, and of very many only some measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Error, Message, MetricRecord, RecordDict
from flwr.common.constant import ErrorCode

from handfed.server.flower.exchange import PART, collect
from handfed.server.flower.queries import MOST_ASKED, Queries, Verdict
from handfed.shared import wire
from handfed.shared.calibration import TEMPERATURES, TemperatureCurve
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
        if message.metadata.message_type == wire.JUDGE:
            metrics = MetricRecord({wire.WIRE_VERSION: wire.VERSION, **self._verdicts[node]})
        content = RecordDict({wire.METRICS: metrics})
        if message.metadata.message_type == wire.MEASURE:
            content[wire.ARRAYS] = ArrayRecord({SCHEMA.title: Array(np.array([node, node**2 + 1], np.float32))})
        return Message(content, reply_to=message)

    def queries(self, quorum: float = 0.5) -> Queries:
        common = {wire.WIRE_VERSION: wire.VERSION, "seed": 0}
        return Queries(self.grid, common, deadline_s=1, quorum=quorum, by_sums=False)


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


@pytest.mark.parametrize(("silent", "good"), [(frozenset[int](), 4), (frozenset({2}), 3)])
def test_nobody_is_waited_for_once_enough_have_answered(silent: frozenset[int], good: int) -> None:
    devices = Devices(4, silent)
    messages = [Message(RecordDict(), dst_node_id=node, message_type=wire.MEASURE) for node in (1, 2, 3, 4)]
    found = collect(devices.grid, messages, enough=3, deadline_s=60)
    assert sum(not reply.has_error() for reply in found) == good


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


def judged(*verdicts: Mapping[str, Any]) -> tuple[Verdict, TemperatureCurve]:
    devices = Devices(len(verdicts), verdicts=dict(enumerate(verdicts, start=1)))
    queries = devices.queries()
    queries.describe()
    return queries.judge(ArrayRecord(), b"a model")


def test_verdicts_and_curves_of_devices_add_up() -> None:
    cold = {**FINE, wire.CURVE: [5 * nats for nats in NATS[4:] + NATS[-1:] * 4], wire.CURVE_EXAMPLES: 4}
    verdict, curve = judged(FINE, cold)
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
    verdict, curve = judged(FINE, {**FINE, **wrong}, FINE)
    assert verdict.samples == curve.samples == 20
    assert curve.nats.tolist() == pytest.approx((2 * np.array(NATS)).tolist())


@pytest.mark.parametrize("missing", [wire.CURVE, wire.CURVE_EXAMPLES])
def test_a_device_without_a_curve_is_left_out(missing: str) -> None:
    verdict, curve = judged({name: value for name, value in FINE.items() if name != missing}, FINE)
    assert verdict.samples == curve.samples == 10


def test_a_curve_may_leave_out_samples() -> None:
    """A text that cannot be said in so few steps has no likelihood at any temperature."""
    verdict, curve = judged({**FINE, wire.CURVE_EXAMPLES: 0, wire.CURVE: [0.0] * len(NATS)})
    assert (verdict.samples, curve.samples, curve.temperature()) == (10, 0, 1.0)
