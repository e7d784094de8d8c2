"""The guard around a Flower strategy: nothing reaches the strategy that has not been checked.

Flower averages NaN in, broadcasts wrong shapes, and lets a device that claims 10**12 samples take the model over.
`Guarded` wraps any `flwr.serverapp.strategy.Strategy` and holds these rules:

1. It chooses a round's devices of those that are there, by a rule of `handfed.server.flower.sampling`, which depends on
   the seed, the round and the turns so far alone, so that a run can be repeated and resumed.
2. A reply is used only if it is of the right version and schema, has the right length and dtype, is finite, claims no
   more samples than its device has, was trained from what the round sent (a checksum says so), and does not stand out
   from the round by more than the run's bounds (`outliers`). What is not used goes on record with a reason, never with
   a value.
3. The strategy sees weights alone, as one array, from devices in the order of their ids. Statistics and ranges are
   combined by `handfed.server.flower.aggregation`.
4. A round with fewer usable updates than its quorum changes nothing.
5. Where the server may see sums only (visibility `secure`), rule 2 looks at no value of an update, every update weighs
   the same, and a sum that is not finite changes nothing. Devices clip their updates and check them themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from flwr.supercore.run import Run

from handfed.server.flower.aggregation import combine
from handfed.server.flower.exchange import check_number, read_array, read_reply, replies_by_device
from handfed.server.flower.outliers import outliers
from handfed.server.flower.sampling import Turns, counted, fair, uniform
from handfed.server.flower.strategies import WEIGHTS
from handfed.server.runs.schemas import Rejection
from handfed.shared import wire
from handfed.shared.run_settings import RunSettings
from handfed.shared.wire import Flat, Reason, RejectedError, Role, Schema


@dataclass(frozen=True)
class Rules:
    """How many devices a round has, and what their updates must hold to.

    Attributes:
        participation: Fraction of the devices that a round needs, above 0.
        over_selection: Fraction of devices asked beyond those.
        quorum: Fraction of the devices it needs that must return a usable update.
        norm_bound: Times the median length that an update may have; 0 for no bound.
        direction_bound: Least cosine with the round's median update; -1 for no bound.
        inspected: Whether the server may look at single updates.
        seed: Seeds the choice of devices.
        sampling: The rule by which they are chosen: `uniform` or `fair`.
        caps: How many samples a device counts for at most, by node id; where none is given, for all that it has.
    """

    participation: float = 1.0
    over_selection: float = 0.0
    quorum: float = 0.5
    norm_bound: float = 0.0
    direction_bound: float = -1.0
    inspected: bool = True
    seed: int = 0
    sampling: str = "uniform"
    caps: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: RunSettings, caps: Mapping[int, int] | None = None) -> Rules:
        """The rules of a run."""
        return cls(
            settings.participation,
            settings.over_selection,
            settings.quorum,
            settings.norm_bound,
            settings.direction_bound,
            settings.visibility == "inspected",
            settings.seed,
            settings.sampling,
            caps or {},
        )

    def needed(self, devices: int) -> int:
        """How many of so many devices a round needs."""
        return max(1, round(devices * self.participation))

    def least(self, devices: int) -> int:
        """How many of so many devices must return a usable update."""
        return max(1, math.ceil(self.quorum * self.needed(devices)))


@dataclass(frozen=True)
class Update:
    """A reply that passed every check."""

    device: int
    examples: int
    loss: float
    seconds: float
    arrays: Flat
    message: Message


class Guarded(Strategy):
    """A Flower strategy behind the checks above.

    Attributes:
        needed: How many devices a round needs; it may ask more.
        turns: What each device has had of the run, where that has a say in who is chosen.
        accepted: The updates of the last round that was aggregated.
        rejections: What was not used in it, and why.

    Args:
        strategy: Any strategy of Flower's that sends what it is given; it must accept as few devices as one.
        schema: The arrays of the model on the wire.
        examples: Training samples a device, by node id: who may train, and how many samples each may claim.
        rules: What holds for a round and its updates.
        turns: What each device has had before; who is in it belongs to the run, wherever it is now.
    """

    def __init__(
        self,
        strategy: Strategy,
        schema: Schema,
        examples: Mapping[int, int],
        rules: Rules,
        turns: Mapping[int, Turns] | None = None,
    ) -> None:
        self._strategy = strategy
        self._schema = schema
        self._examples = {device: count for device, count in sorted(examples.items()) if count > 0}
        self._rules = rules
        self.turns = dict(turns or {})
        self._size = len(self._examples.keys() | self.turns)
        self.needed = rules.needed(self._size)
        self._asked: tuple[int, ...] = ()
        self._weights = schema.span(Role.WEIGHT)
        self._sent: Flat = np.empty(0, np.float32)
        self._start = 0  # checksum of what was sent
        self.accepted: tuple[Update, ...] = ()
        self.rejections: tuple[Rejection, ...] = ()

    def choose(self, server_round: int, there: Iterable[int]) -> tuple[int, ...]:
        """The devices that a round asks, in the order of their ids.

        Args:
            server_round: Its number.
            there: The devices that are there now; who has nothing to train on is passed over.
        """
        present = [device for device in there if device in self._examples]
        count = math.ceil(self.needed * (1 + self._rules.over_selection))
        if self._rules.sampling == "uniform":
            return uniform(present, count, seed=self._rules.seed, number=server_round)
        chosen = fair(present, count, self.turns, seed=self._rules.seed, number=server_round)
        self.turns = counted(self.turns, present, chosen, server_round)
        return chosen

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """One message for each device of the round, with the one array of the schema; none where nobody is there."""
        self._asked = self.choose(server_round, grid.get_node_ids())
        self._sent = read_array(arrays, self._schema, values=False)
        self._start = wire.checksum(self._sent)
        if not self._asked:  # Flower's strategy would wait for ever
            return []
        messages = list(
            self._strategy.configure_train(
                server_round, self._weights_of(self._sent), config, _SomeDevices(grid, self._asked)
            )
        )
        for message in messages:
            message.content = RecordDict({**message.content, wire.ARRAYS: arrays})
        return sorted(messages, key=lambda message: message.metadata.dst_node_id)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Checks the replies of a round and combines those that pass; (None, None) below the quorum."""
        self.accepted, self.rejections = self._sort_out(replies)
        if len(self.accepted) < self._rules.least(self._size):
            return None, None
        weights, metrics = self._strategy.aggregate_train(
            server_round, [self._with_weights_only(update) for update in self.accepted]
        )
        if weights is None:
            return None, None
        others = combine(
            [update.arrays for update in self.accepted],
            [self._weight(update) for update in self.accepted],
            self._schema,
            by_sums=not self._rules.inspected,
        )
        # Some of Flower's strategies compute in float64; the wire is float32.
        combined = np.concatenate([weights[WEIGHTS].numpy().astype(np.float32), others])
        if not np.isfinite(combined).all():
            return None, None  # a device got past its own check, and in a sum nobody can tell which
        return ArrayRecord({self._schema.title: Array(combined)}), metrics

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
        for reply in replies_by_device(replies):
            device = reply.metadata.src_node_id
            if device not in silent:  # never asked, or the second answer of one device
                rejections.append(Rejection(device, Reason.CONTENT, "this device was not asked, or answered already"))
                continue
            silent.remove(device)
            try:
                accepted.append(self._check(reply))
            except RejectedError as rejection:
                rejections.append(Rejection(device, rejection.reason, rejection.detail))
        # Of devices asked beyond those needed, the slow ones are not waited for, and have nothing to answer for.
        if len(accepted) < self.needed:
            rejections += [
                Rejection(device, Reason.SILENT, "no reply before the deadline") for device in sorted(silent)
            ]
        accepted, standing_out = self._without_outliers(accepted)
        return tuple(accepted), tuple(sorted([*rejections, *standing_out], key=lambda rejection: rejection.device))

    def _without_outliers(self, updates: list[Update]) -> tuple[list[Update], list[Rejection]]:
        rules = self._rules
        if not rules.inspected or (not rules.norm_bound and rules.direction_bound <= -1) or not updates:
            return updates, []
        moved = np.stack([update.arrays[self._weights] - self._sent[self._weights] for update in updates])
        found = outliers(moved, norm_bound=rules.norm_bound, direction_bound=rules.direction_bound)
        kept = [update for place, update in enumerate(updates) if place not in found]
        return kept, [Rejection(updates[place].device, *why) for place, why in found.items()]

    def _check(self, reply: Message) -> Update:
        device = reply.metadata.src_node_id
        carried, metrics = read_reply(reply)
        examples = wire.check_count(metrics.get(wire.NUM_EXAMPLES), least=1, most=self._examples[device])
        loss = check_number(metrics, wire.LOSS)
        seconds = check_number(metrics, wire.SECONDS)
        if metrics.get(wire.START) != self._start:
            raise RejectedError(Reason.START, "it was trained from other arrays than those of this round")
        arrays = read_array(carried, self._schema, values=self._rules.inspected)
        return Update(device, min(examples, self._rules.caps.get(device, examples)), loss, seconds, arrays, reply)

    def _weight(self, update: Update) -> int:
        """What an update weighs in a mean: its samples, or 1 where only sums may be seen."""
        return update.examples if self._rules.inspected else 1

    def _with_weights_only(self, update: Update) -> Message:
        """The reply as the strategy may see it."""
        metrics = MetricRecord({wire.NUM_EXAMPLES: self._weight(update), wire.LOSS: update.loss})
        message = update.message
        message.content = RecordDict({wire.ARRAYS: self._weights_of(update.arrays), wire.METRICS: metrics})
        return message

    def _weights_of(self, arrays: Flat) -> ArrayRecord:
        return ArrayRecord({WEIGHTS: Array(arrays[self._weights])})


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
