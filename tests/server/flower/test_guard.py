"""What reaches a Flower strategy was checked; what was not used is on record with a reason."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from flwr.supercore.task_identity import TaskIdentity
from hypothesis import given
from hypothesis import strategies as st

from handfed.server.flower.exchange import read_array
from handfed.server.flower.guard import Guarded, Rules
from handfed.server.flower.strategies import strategy
from handfed.shared import wire
from handfed.shared.run_settings import SAMPLINGS, STRATEGIES, RunSettings
from handfed.shared.wire import ArraySpec, Reason, RejectedError, Role, Schema
from handfed.simulations.engines.grid import LocalGrid

SCHEMA = Schema(
    (
        ArraySpec("dense/kernel", (2, 3), Role.WEIGHT),
        ArraySpec("norm/mean", (3,), Role.MEAN),
        ArraySpec("norm/second_moment", (3,), Role.SECOND_MOMENT),
        ArraySpec("dense/bias", (3,), Role.WEIGHT),
        ArraySpec("relu/output_range", (2,), Role.RANGE),
    )
)
EXAMPLES = {1: 100, 2: 100, 3: 200, 4: 0}


@pytest.fixture(autouse=True)
def identity() -> None:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1


@pytest.fixture
def grid() -> LocalGrid:
    return LocalGrid(lambda _: (), 4, lambda *_: None)


def state(value: float) -> dict[str, np.ndarray]:
    return {
        "dense/kernel": np.full((2, 3), value, np.float32),
        "norm/mean": np.full(3, value, np.float32),
        "norm/second_moment": np.full(3, value**2 + 1, np.float32),
        "dense/bias": np.full(3, -value, np.float32),
        "relu/output_range": np.array([0, abs(value) + 1], np.float32),
    }


def record(arrays: dict[str, np.ndarray]) -> ArrayRecord:
    return one(SCHEMA.pack(arrays))


def one(flat: np.ndarray, title: str = SCHEMA.title) -> ArrayRecord:
    return ArrayRecord({title: Array(flat)})


def guarded(**options: object) -> Guarded:
    return Guarded(strategy(RunSettings(strategy="fedavg"), 3), SCHEMA, EXAMPLES, Rules(**options))  # type: ignore[arg-type]


def ask(guard: Guarded, grid: LocalGrid, number: int = 1) -> list[Message]:
    return list(guard.configure_train(number, record(state(0)), ConfigRecord(), grid))


def reply(message: Message, arrays: dict[str, np.ndarray] | ArrayRecord, **metrics: object) -> Message:
    said = {
        wire.WIRE_VERSION: wire.VERSION,
        wire.NUM_EXAMPLES: 100,
        wire.LOSS: 0.5,
        wire.SECONDS: 1.0,
        wire.START: wire.checksum(message.content.array_records[wire.ARRAYS][SCHEMA.title].numpy()),
        **{name.replace("_", "-"): value for name, value in metrics.items()},
    }
    kept = {name: value for name, value in said.items() if value is not None}
    carried = arrays if isinstance(arrays, ArrayRecord) else record(arrays)
    content = RecordDict({wire.ARRAYS: carried, wire.METRICS: MetricRecord(kept)})  # type: ignore[arg-type]
    return Message(content, reply_to=message)


def numpy_of(arrays: ArrayRecord | None) -> dict[str, np.ndarray]:
    assert arrays is not None
    assert set(arrays) == {SCHEMA.title}
    return SCHEMA.unpack(arrays[SCHEMA.title].numpy())


def test_only_devices_with_samples_are_asked_and_each_gets_every_array_as_one(grid: LocalGrid) -> None:
    messages = ask(guarded(), grid)
    assert [message.metadata.dst_node_id for message in messages] == [1, 2, 3]
    for message in messages:
        for name, array in numpy_of(message.content.array_records[wire.ARRAYS]).items():
            np.testing.assert_array_equal(array, state(0)[name])
        # Each is a request to Flower's server: the message, its content, two records, and the array and its bytes.
        assert len(get_all_nested_objects(message)) == 6


def test_good_updates_are_averaged_by_samples_and_ranges_by_their_median(grid: LocalGrid) -> None:
    guard = guarded()
    one, two, three = ask(guard, grid)
    combined, _ = guard.aggregate_train(
        1, [reply(one, state(1)), reply(two, state(2)), reply(three, state(4), num_examples=200)]
    )
    arrays = numpy_of(combined)
    assert tuple(arrays) == SCHEMA.names()
    np.testing.assert_allclose(arrays["dense/kernel"], 2.75)
    np.testing.assert_allclose(arrays["dense/bias"], -2.75)
    np.testing.assert_allclose(arrays["norm/second_moment"], (2 + 5 + 2 * 17) / 4)
    np.testing.assert_array_equal(arrays["relu/output_range"], [0, 3])
    assert guard.rejections == ()


FLAT = SCHEMA.pack(state(1))
BAD = [
    (lambda m: reply(m, state(float("nan"))), Reason.NOT_FINITE),
    (lambda m: reply(m, state(1) | {"dense/bias": np.full(3, np.inf, np.float32)}), Reason.NOT_FINITE),
    (lambda m: reply(m, one(FLAT[:-1])), Reason.SHAPE),
    (lambda m: reply(m, one(np.append(FLAT, FLAT[-1:]))), Reason.SHAPE),
    (lambda m: reply(m, one(FLAT[None])), Reason.SHAPE),
    (lambda m: reply(m, one(FLAT.astype(np.float64))), Reason.DTYPE),
    (lambda m: reply(m, one(FLAT.astype(np.int32))), Reason.DTYPE),
    (lambda m: reply(m, ArrayRecord()), Reason.NAMES),
    (lambda m: reply(m, one(FLAT, "weight+mean+second-moment+range-00000000")), Reason.NAMES),
    (lambda m: reply(m, one(FLAT[:9], SCHEMA.only(Role.WEIGHT).title)), Reason.NAMES),
    (lambda m: reply(m, ArrayRecord({**one(FLAT), "extra": Array(FLAT)})), Reason.NAMES),
    (lambda m: reply(m, ArrayRecord({name: Array(array) for name, array in state(1).items()})), Reason.NAMES),
    (lambda m: reply(m, state(1) | {"relu/output_range": np.array([3, 1], np.float32)}), Reason.RANGE),
    (lambda m: reply(m, state(1) | {"norm/second_moment": np.zeros(3, np.float32)}), Reason.MOMENTS),
    (lambda m: reply(m, state(1), num_examples=10**12), Reason.COUNT),
    (lambda m: reply(m, state(1), num_examples=101), Reason.COUNT),
    (lambda m: reply(m, state(1), num_examples=-5), Reason.COUNT),
    (lambda m: reply(m, state(1), num_examples=0), Reason.COUNT),
    (lambda m: reply(m, state(1), num_examples=50.5), Reason.COUNT),
    (lambda m: reply(m, state(1), num_examples=None), Reason.COUNT),
    (lambda m: reply(m, state(1), loss=float("nan")), Reason.NOT_FINITE),
    (lambda m: reply(m, state(1), loss=None), Reason.NOT_FINITE),
    (lambda m: reply(m, state(1), seconds=-1.0), Reason.NOT_FINITE),
    (lambda m: reply(m, state(1), wire_version=wire.VERSION + 1), Reason.VERSION),
    (lambda m: reply(m, state(1), wire_version=None), Reason.VERSION),
    (lambda m: reply(m, state(1), start_checksum=wire.checksum(SCHEMA.pack(state(0.5)))), Reason.START),
    (lambda m: reply(m, state(1), start_checksum=None), Reason.START),
    (lambda m: Message(RecordDict(), reply_to=m), Reason.CONTENT),
    (lambda m: Message(Error(1, "/home/ann/scans/anna.png is broken"), reply_to=m), Reason.ERROR),
    (lambda m: Message(Error(2, wire.other_version(4)), reply_to=m), Reason.VERSION),
]


@pytest.mark.parametrize(("version", "older"), [(wire.VERSION - 1, "the device"), (wire.VERSION + 1, "the server")])
def test_of_two_versions_it_is_told_which_side_to_update(version: int, older: str, grid: LocalGrid) -> None:
    guard = guarded()
    one, *_ = ask(guard, grid)
    refused = Error(2, f"the server speaks wire version {wire.VERSION}, this device {version}: update someone")
    for answer in (reply(one, state(1), wire_version=version), Message(refused, reply_to=one)):
        guard.aggregate_train(1, [answer])
        assert guard.rejections[0].detail.endswith(f"update {older}")


@pytest.mark.parametrize(("make", "reason"), BAD)
def test_a_bad_update_is_dropped_with_its_reason_and_the_others_count(
    make: object, reason: Reason, grid: LocalGrid
) -> None:
    guard = guarded()
    one, two, three = ask(guard, grid)
    combined, _ = guard.aggregate_train(1, [reply(two, state(2)), make(one), reply(three, state(4))])  # type: ignore[operator]
    np.testing.assert_allclose(numpy_of(combined)["dense/kernel"], 3.0)
    assert [(rejection.device, rejection.reason) for rejection in guard.rejections] == [(1, reason)]


def test_what_a_failing_device_says_is_not_recorded(grid: LocalGrid) -> None:
    guard = guarded()
    one, *_ = ask(guard, grid)
    guard.aggregate_train(1, [Message(Error(1, "/home/ann/scans/anna.png is broken"), reply_to=one)])
    assert all("anna" not in rejection.detail for rejection in guard.rejections)


NPY = Array(FLAT).data
HEADER = len(NPY) - FLAT.nbytes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an array",
        NPY[:-1],
        NPY + b"\0",
        NPY[:HEADER],
        NPY[HEADER:],
        b"PK\x05\x06" + bytes(18),  # an empty zip, which NumPy takes for several arrays
        NPY[:6] + b"\x02" + NPY[7:],
        NPY[:8] + b"\xff\xff" + NPY[10:],
        Array(np.zeros(10**6, np.float32)).data,
    ],
)
def test_an_array_that_cannot_be_decoded_is_dropped(data: bytes, grid: LocalGrid) -> None:
    guard = guarded()
    one, two, three = ask(guard, grid)
    broken = reply(one, state(1))
    broken.content.array_records[wire.ARRAYS][SCHEMA.title] = Array("float32", FLAT.shape, "numpy.ndarray", data)
    guard.aggregate_train(1, [broken, reply(two, state(2)), reply(three, state(3))])
    assert [rejection.reason for rejection in guard.rejections] == [Reason.CONTENT]


@given(st.lists(st.tuples(st.integers(0, len(NPY) - 1), st.integers(0, 255)), max_size=6))
def test_whatever_a_device_sends_only_a_rejection_comes_of_it(changes: list[tuple[int, int]]) -> None:
    """NumPy's own reader of such bytes raises eight kinds of errors, and takes any length at its word."""
    data = bytearray(NPY)
    for place, value in changes:
        data[place] = value
    try:
        flat = read_array(
            ArrayRecord({SCHEMA.title: Array("float32", FLAT.shape, "numpy.ndarray", bytes(data))}), SCHEMA
        )
    except RejectedError:
        return
    assert flat.tobytes() == data[HEADER:]
    SCHEMA.check(flat)


def test_a_silent_device_is_recorded_and_below_the_quorum_nothing_changes(grid: LocalGrid) -> None:
    guard = guarded(quorum=0.6)
    one, *_ = ask(guard, grid)
    assert guard.aggregate_train(1, [reply(one, state(1))]) == (None, None)
    assert [(rejection.device, rejection.reason) for rejection in guard.rejections] == [
        (2, "no-reply"),
        (3, "no-reply"),
    ]


def test_a_second_answer_and_an_answer_of_a_device_that_was_not_asked_count_for_nothing(grid: LocalGrid) -> None:
    guard = guarded()
    one, two, three = ask(guard, grid)
    stranger = Message(RecordDict({wire.ARRAYS: record(state(0))}), dst_node_id=9, message_type=wire.TRAIN)
    replies = [reply(one, state(1)), reply(one, state(100)), reply(two, state(1)), reply(three, state(1))]
    combined, _ = guard.aggregate_train(1, [*replies, reply(stranger, state(100))])
    np.testing.assert_allclose(numpy_of(combined)["dense/kernel"], 1.0)
    assert {rejection.device for rejection in guard.rejections} == {1, 9}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_works_inside_whatever_the_order_of_replies(name: str, grid: LocalGrid) -> None:
    results = []
    for order in ((0, 1, 2), (2, 0, 1)):
        guard = Guarded(strategy(RunSettings(strategy=name), 3), SCHEMA, EXAMPLES, Rules())
        arrays = record(state(0))
        for number in (1, 2):
            messages = list(guard.configure_train(number, arrays, ConfigRecord(), grid))
            replies = [reply(message, state(value)) for message, value in zip(messages, (1, 2, 3), strict=True)]
            combined, _ = guard.aggregate_train(number, [replies[i] for i in order])
            assert combined is not None
            arrays = combined
        SCHEMA.check(SCHEMA.pack(numpy_of(arrays)))
        results.append(numpy_of(arrays))
    for name_of_array, array in results[0].items():
        np.testing.assert_array_equal(array, results[1][name_of_array])


def test_a_strategy_never_sees_statistics_or_ranges(grid: LocalGrid) -> None:
    seen: list[list[float]] = []

    class Watching(FedAvg):
        def aggregate_train(
            self, server_round: int, replies: Iterable[Message]
        ) -> tuple[ArrayRecord | None, MetricRecord | None]:
            replies = list(replies)
            for each in replies:
                (array,) = each.content.array_records[wire.ARRAYS].values()
                seen.append(array.numpy().tolist())
            return super().aggregate_train(server_round, replies)

    guard = Guarded(Watching(min_train_nodes=1, min_evaluate_nodes=1, min_available_nodes=1), SCHEMA, EXAMPLES, Rules())
    guard.aggregate_train(1, [reply(message, state(1)) for message in ask(guard, grid)])
    assert seen == [[1.0] * 6 + [-1.0] * 3] * 3  # the kernel and the bias


def test_the_devices_of_a_round_follow_from_seed_and_round_alone() -> None:
    many = dict.fromkeys(range(1, 101), 10)

    def chosen(seed: int, number: int) -> tuple[int, ...]:
        guard = Guarded(strategy(RunSettings(), 10), SCHEMA, many, Rules(participation=0.1, seed=seed))
        return guard.choose(number, many)

    assert len(chosen(0, 1)) == 10
    assert chosen(0, 1) == chosen(0, 1)
    assert chosen(0, 1) != chosen(0, 2)
    assert chosen(0, 1) != chosen(1, 1)
    assert len({device for number in range(200) for device in chosen(0, number)}) == 100


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_only_devices_that_are_there_and_have_samples_are_chosen(sampling: str) -> None:
    guard = guarded(participation=0.7, sampling=sampling)
    assert [guard.choose(1, there) for there in ([4, 3, 1], [9, 2], [])] == [(1, 3), (2,), ()]


def test_who_was_asked_least_is_asked_next_and_turns_go_on_from_where_they_were() -> None:
    guard = guarded(participation=0.67, sampling="fair")
    first = guard.choose(1, [1, 2, 3])
    (waiting,) = {1, 2, 3} - set(first)
    going_on = Guarded(
        strategy(RunSettings(), 2), SCHEMA, EXAMPLES, Rules(participation=0.67, sampling="fair"), guard.turns
    )
    assert waiting in guard.choose(2, [1, 2, 3]) == going_on.choose(2, [1, 2, 3])


def test_where_nobody_is_there_nobody_is_asked_and_nothing_changes() -> None:
    guard = guarded()
    nobody = LocalGrid(lambda _: (), 0, lambda *_: None)
    assert list(guard.configure_train(1, record(state(0)), ConfigRecord(), nobody)) == []
    assert guard.aggregate_train(1, []) == (None, None)
    assert guard.rejections == ()


def test_a_device_counts_for_no_more_samples_than_it_was_let_in_with(grid: LocalGrid) -> None:
    def combined(caps: dict[int, int]) -> float:
        guard = guarded(caps=caps)
        messages = zip(ask(guard, grid), (0, 0, 9), strict=True)
        replies = [reply(message, state(value), **{wire.NUM_EXAMPLES: 100}) for message, value in messages]
        arrays, _ = guard.aggregate_train(1, replies)
        assert arrays is not None
        assert [update.examples for update in guard.accepted] == [caps.get(device, 100) for device in (1, 2, 3)]
        return float(numpy_of(arrays)["dense/kernel"].ravel()[0])

    assert combined({}) == pytest.approx(3)
    assert combined({3: 50}) == pytest.approx(9 * 50 / 250)


def test_more_devices_are_asked_than_needed_and_who_is_late_then_has_nothing_to_answer_for() -> None:
    many = dict.fromkeys(range(1, 11), 100)
    rules = Rules(participation=0.4, over_selection=0.5, quorum=1.0)
    guard = Guarded(strategy(RunSettings(strategy="fedavg"), 4), SCHEMA, many, rules)
    asked = list(
        guard.configure_train(1, record(state(0)), ConfigRecord(), LocalGrid(lambda _: (), 10, lambda *_: None))
    )
    assert (guard.needed, len(asked)) == (4, 6)
    combined, _ = guard.aggregate_train(1, [reply(message, state(1)) for message in asked[:4]])
    assert combined is not None
    assert not any(guard.rejections)
    assert guard.aggregate_train(1, [reply(message, state(1)) for message in asked[:3]]) == (None, None)
    assert [rejection.reason for rejection in guard.rejections] == ["no-reply"] * 3


def many_updates(*values: float, rules: Rules) -> tuple[Guarded, list[Message]]:
    devices = len(values)
    guard = Guarded(
        strategy(RunSettings(strategy="fedavg"), devices), SCHEMA, dict.fromkeys(range(1, devices + 1), 100), rules
    )
    asked = guard.configure_train(
        1, record(state(0)), ConfigRecord(), LocalGrid(lambda _: (), devices, lambda *_: None)
    )
    return guard, [reply(message, state(value)) for message, value in zip(asked, values, strict=True)]


def test_an_update_that_goes_too_far_is_not_used() -> None:
    guard, replies = many_updates(1, 1.2, 0.9, 10, 1, rules=Rules(norm_bound=3))
    combined, _ = guard.aggregate_train(1, replies)
    assert [(rejection.device, rejection.reason) for rejection in guard.rejections] == [(4, "too-long")]
    np.testing.assert_allclose(numpy_of(combined)["dense/kernel"], (1 + 1.2 + 0.9 + 1) / 4, rtol=1e-6)


def test_an_update_that_goes_backwards_is_not_used() -> None:
    guard, replies = many_updates(1, 1.2, 0.9, -1, 1, rules=Rules(direction_bound=0))
    guard.aggregate_train(1, replies)
    assert [(rejection.device, rejection.reason) for rejection in guard.rejections] == [(4, "wrong-direction")]


def test_where_only_sums_may_be_seen_updates_weigh_the_same_and_ranges_are_averaged(grid: LocalGrid) -> None:
    guard = guarded(inspected=False)
    one, two, three = ask(guard, grid)
    combined, _ = guard.aggregate_train(
        1, [reply(one, state(1)), reply(two, state(2)), reply(three, state(6), num_examples=200)]
    )
    np.testing.assert_allclose(numpy_of(combined)["dense/kernel"], 3.0)
    np.testing.assert_allclose(numpy_of(combined)["relu/output_range"], [0, 4])


def test_where_only_sums_may_be_seen_a_sum_that_is_not_finite_changes_nothing(grid: LocalGrid) -> None:
    guard = guarded(inspected=False)
    one, two, three = ask(guard, grid)
    replies = [reply(one, state(1)), reply(two, state(float("nan"))), reply(three, state(1))]
    assert guard.aggregate_train(1, replies) == (None, None)
    assert guard.rejections == ()  # nobody may look who it was
