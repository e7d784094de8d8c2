"""The federation that `speed` measures, and its rounds alone: no quantization, no release, no report.

`python -m handfed.simulations.benchmarks.rounds` trains as long and as much as `naive_flower` does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from handfed.shared.run_settings import RunSettings
from handfed.simulations.datasets.mnist5k import MNIST5K
from handfed.simulations.running import silence, start_tensorflow
from handfed.simulations.scenario import Scenario

if TYPE_CHECKING:  # importing them starts TensorFlow
    from handfed.server.flower.course import Course, Listener
    from handfed.server.flower.state import RunState
    from handfed.server.runs.schemas import RoundResult
    from handfed.simulations.federation import Federation

DEVICES: Final = 10
HELD_OUT: Final = 0.2  # of the 5,000 images of mnist5k: 400 a device are left to train on
ROUNDS: Final = 4
BATCH: Final = 32  # images


class _Over(Exception):  # noqa: N818 - nothing went wrong
    """The last round is over."""


class _Stop:
    """A listener that ends a run after a round, before anything is quantized."""

    def __init__(self, last: int) -> None:
        self._last = last

    def described(self, *_: object) -> None:
        """It goes on."""

    def round_started(self, *_: object) -> None:
        """It goes on."""

    def round_ended(self, result: RoundResult, _state: RunState) -> None:
        """Ends the run after the last round."""
        if result.number == self._last:
            raise _Over


def federation(settings: RunSettings) -> Federation:
    """Ten devices with equal shares of every class of mnist5k."""
    from handfed.simulations.federation import Federation
    from handfed.simulations.partition import split

    dataset = MNIST5K.load()
    partition = split(dataset, scheme="iid", devices=DEVICES, held_out=HELD_OUT, seed=settings.seed)
    return Federation(dataset, partition, Scenario(partition="iid", devices=DEVICES, run=settings))


def train(federation: Federation, listeners: Iterable[Listener] = ()) -> None:
    """Runs the float rounds of a federation in this process, and keeps nothing.

    Args:
        federation: Its settings have no quantization-aware rounds.
        listeners: Told of every round.
    """
    from handfed.server.flower.app import create_app as server_app
    from handfed.simulations.engines import ENGINES, Workers

    def keep_nothing(_course: Course, _state: RunState) -> None:
        """In place of publishing; it does not come to that."""

    settings = federation.settings
    try:
        ENGINES["in-process"](
            server_app(keep_nothing, [*listeners, _Stop(settings.rounds)]),
            federation.client_app,
            devices=federation.partition.devices,
            run_config={**settings.to_mapping(), **federation.subject.to_config()},
            progress=lambda *_: None,
            workers=Workers(),
        )
    except _Over:
        return


def main() -> int:
    """The rounds, by themselves."""
    silence()
    settings = RunSettings(
        strategy="fedavg",
        rounds=ROUNDS,
        qat_rounds=0,
        local_epochs=1,
        batch_size=BATCH,
        augmentation=0.0,
        dropout=0.0,
    )
    whole = federation(settings)
    start_tensorflow(1)
    train(whole)
    return 0


if __name__ == "__main__":
    sys.exit(main())
