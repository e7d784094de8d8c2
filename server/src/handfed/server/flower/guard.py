"""The guard around a Flower strategy: nothing reaches the strategy that has not been checked.

Flower averages NaN in, broadcasts wrong shapes, and lets a device that claims 10**12 samples take the model over.
`Guarded` wraps any `flwr.serverapp.strategy.Strategy` and holds these rules:

1. It chooses a round's devices, from the seed and the round alone, so that a run can be repeated and resumed.
2. A reply is used only if it has the right version, names, shapes and dtypes, is finite, and claims no more samples
   than its device has. What is not used goes on record with a reason, never with a value.
3. The strategy sees weights alone, from devices in the order of their ids. Statistics and ranges are combined by
   `handfed.server.flower.aggregation`.
4. A round with fewer usable updates than its quorum changes nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from flwr.supercore.run import Run
from numpy.typing import NDArray

from handfed.server.flower.aggregation import combine
from handfed.server.runs.schemas import Rejection
from handfed.shared import wire
from handfed.shared.wire import Reason, RejectedError, Role, Schema


@dataclass(frozen=True)
class Update:
    """A reply that passed every check."""

    device: int
    examples: int
    loss: float
    seconds: float
    arrays: Mapping[str, NDArray[np.float32]]
    message: Message


class Guarded(Strategy):
    """A Flower strategy behind the checks above.

    Attributes:
        accepted: The updates of the last round that was aggregated.
        rejections: What was not used in it, and why.

    Args:
        strategy: Any strategy of Flower's; it must accept as few devices as one.
        schema: The arrays of the model on the wire.
        examples: Training samples a device, by node id: who may train, and how many samples each may claim.
        participation: Fraction of them that train in a round, above 0.
        quorum: Fraction of a round's devices that must return a usable update.
        seed: Seeds the choice of devices.
    """

    def __init__(
        self,
        strategy: Strategy,
        schema: Schema,
        examples: Mapping[int, int],
        *,
        participation: float = 1.0,
        quorum: float = 0.5,
        seed: int = 0,
    ) -> None:
        self._strategy = strategy
        self._schema = schema
        self._examples = {device: count for device, count in sorted(examples.items()) if count > 0}
        self._participation = participation
        self._quorum = quorum
        self._seed = seed
        self._asked: tuple[int, ...] = ()
        self.accepted: tuple[Update, ...] = ()
        self.rejections: tuple[Rejection, ...] = ()

    def choose(self, server_round: int) -> tuple[int, ...]:
        """The devices of a round, in the order of their ids."""
        count = max(1, round(len(self._examples) * self._participation))
        chosen = random.Random(f"{self._seed}/{server_round}").sample(list(self._examples), count)  # noqa: S311
        return tuple(sorted(chosen))

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for each device of the round, with every array of the schema."""
        self._asked = self.choose(server_round)
        weights = ArrayRecord({name: arrays[name] for name in self._schema.names(Role.WEIGHT)})
        others = {name: array for name, array in arrays.items() if name not in weights}
        messages = list(self._strategy.configure_train(server_round, weights, config, _SomeDevices(grid, self._asked)))
        for message in messages:
            content = message.content
            full = {**content.array_records[wire.ARRAYS], **others}
            ordered = ArrayRecord({name: full[name] for name in self._schema.names()})
            message.content = RecordDict({**content, wire.ARRAYS: ordered})
        return sorted(messages, key=lambda message: message.metadata.dst_node_id)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Checks the replies of a round and combines those that pass; (None, None) below the quorum."""
        self.accepted, self.rejections = self._sort_out(replies)
        if len(self.accepted) < max(1, math.ceil(self._quorum * len(self._asked))):
            return None, None
        weights, metrics = self._strategy.aggregate_train(
            server_round, [self._with_weights_only(update) for update in self.accepted]
        )
        if weights is None:
            return None, None
        others = combine(
            [update.arrays for update in self.accepted],
            [update.examples for update in self.accepted],
            self._schema,
        )
        # Some of Flower's strategies compute in float64; the wire is float32.
        full = {name: Array(array.numpy().astype(np.float32)) for name, array in weights.items()}
        full |= {name: Array(array) for name, array in others.items()}
        return ArrayRecord({name: full[name] for name in self._schema.names()}), metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Flower's own; a run of ours evaluates by `handfed.server.flower.course`, which adds counts up."""
        return self._strategy.configure_evaluate(server_round, arrays, config, grid)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Flower's own."""
        return self._strategy.aggregate_evaluate(server_round, replies)

    def summary(self) -> None:
        """Logs Flower's summary of the strategy."""
        self._strategy.summary()

    def _sort_out(self, replies: Iterable[Message]) -> tuple[tuple[Update, ...], tuple[Rejection, ...]]:
        accepted: list[Update] = []
        rejections: list[Rejection] = []
        silent = set(self._asked)
        for reply in sorted(replies, key=lambda reply: reply.metadata.src_node_id):
            device = reply.metadata.src_node_id
            if device not in silent:  # never asked, or the second answer of one device
                rejections.append(Rejection(device, Reason.CONTENT, "this device was not asked, or answered already"))
                continue
            silent.remove(device)
            try:
                accepted.append(self._check(reply))
            except RejectedError as rejection:
                rejections.append(Rejection(device, rejection.reason, rejection.detail))
        rejections += [Rejection(device, Reason.SILENT, "no reply before the deadline") for device in sorted(silent)]
        return tuple(accepted), tuple(rejections)

    def _check(self, reply: Message) -> Update:
        device = reply.metadata.src_node_id
        arrays, metrics = read_reply(reply)
        examples = wire.check_count(metrics.get(wire.NUM_EXAMPLES), least=1, most=self._examples[device])
        loss = check_number(metrics, wire.LOSS)
        seconds = check_number(metrics, wire.SECONDS)
        self._schema.check(arrays)
        ordered = {name: arrays[name] for name in self._schema.names()}
        return Update(device, examples, loss, seconds, ordered, reply)

    def _with_weights_only(self, update: Update) -> Message:
        """The reply as the strategy may see it, in the schema's order whatever the device's was."""
        weights = ArrayRecord({name: Array(update.arrays[name]) for name in self._schema.names(Role.WEIGHT)})
        metrics = MetricRecord({wire.NUM_EXAMPLES: update.examples, wire.LOSS: update.loss})
        message = update.message
        message.content = RecordDict({wire.ARRAYS: weights, wire.METRICS: metrics})
        return message


def read_reply(reply: Message) -> tuple[dict[str, NDArray[Any]], MetricRecord]:
    """Takes a reply apart.

    Returns:
        Its arrays by name, empty where it carries none, and its metrics.

    Raises:
        RejectedError: The device failed, or the reply is not of this version, or cannot be read.
    """
    if reply.has_error():
        # The device's own words may hold a file name or worse: only Flower's code goes on record.
        raise RejectedError(Reason.ERROR, f"the device failed (Flower's code {reply.error.code})")
    content = reply.content
    metrics = content.metric_records.get(wire.METRICS)
    if metrics is None or len(content.metric_records) != 1 or len(content.array_records) > 1 or content.config_records:
        raise RejectedError(Reason.CONTENT, "a reply holds one metric record and at most one array record")
    if metrics.get(wire.WIRE_VERSION) != wire.VERSION:
        raise RejectedError(Reason.VERSION, f"the reply is not of wire version {wire.VERSION}; update the device")
    record = content.array_records.get(wire.ARRAYS, ArrayRecord())
    try:
        return {name: array.numpy() for name, array in record.items()}, metrics
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise RejectedError(Reason.CONTENT, "an array cannot be decoded") from error


def check_number(metrics: Mapping[str, object], name: str) -> float:
    """A finite number of a reply, at least 0.

    Raises:
        RejectedError: It is missing, no number, negative or not finite.
    """
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < math.inf):
        raise RejectedError(Reason.NOT_FINITE, f"{name} is not a number of at least 0")
    return float(value)


class _SomeDevices(Grid):
    """A grid in which Flower's strategy sees only the devices that were chosen."""

    def __init__(self, grid: Grid, devices: Sequence[int]) -> None:
        self._grid = grid
        self._devices = devices

    def get_node_ids(self) -> Iterable[int]:
        return list(self._devices)

    def set_run(self, run: Run) -> None:
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return self._grid.pull_messages(message_ids)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return self._grid.send_and_receive(messages, timeout=timeout)
