"""Learning rates over the rounds of a run, as pure functions of progress.

Each schedule gives a factor of the highest rate, from `FLOOR` to 1; a linear rise (Goyal et al. 2017, arXiv:1706.02677,
section 2.2) may come before it. The plateau schedule and early stopping follow from the losses on held-out handwriting,
which `Watch` folds one by one, so that they are part of a run's state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from handfed.shared.run_settings import RunSettings

FLOOR: Final = 0.02  # the last rate of a schedule that falls, as a fraction of the highest


def cosine_with_warmup(step: int, steps: int, *, peak: float, warmup: int, floor: float = FLOOR) -> float:
    """The learning rate of one step: a linear rise, then half a cosine down.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts; warm-up: Goyal et al. 2017, section 2.2.

    Args:
        step: From 1 to `steps`.
        steps: How many steps there are.
        peak: The highest rate.
        warmup: Steps of the rise; step `warmup` reaches `peak`.
        floor: The last rate as a fraction of `peak`.
    """
    if step < warmup:
        return peak * step / warmup
    return peak * cosine(_progress(step, steps, warmup), floor)


def cosine(progress: float, floor: float = FLOOR) -> float:
    """Half a cosine down, from 1 to `floor`, at a progress of 0 to 1."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2


def cosine_restarts(step: int, steps: int, restarts: int) -> float:
    """Half cosines down, each twice as long as the one before; the last one ends with the last step.

    Source: Loshchilov and Hutter 2017 (SGDR, arXiv:1608.03983), section 3, with T_mult = 2.

    Args:
        step: From 1 to `steps`.
        steps: How many steps there are.
        restarts: How often the rate goes back up.
    """
    first = steps / (2 ** (restarts + 1) - 1)  # steps of the first cosine
    ends = [round(first * (2 ** (number + 1) - 1)) for number in range(restarts + 1)]
    start = max([end for end in ends if end < step], default=0)
    end = min(end for end in ends if end >= step)
    return cosine(_progress(step - start, end - start, 1))


def rate(settings: RunSettings, step: int, steps: int, *, drops: int = 0) -> float:
    """The learning rate of a float round, by the run's schedule.

    Args:
        settings: Of the run.
        step: The round, from 1 to `steps`.
        steps: How many float rounds there are.
        drops: How often the held-out loss has come to a plateau; see `Watch`.
    """
    peak, warmup = settings.learning_rate, settings.warmup_rounds
    if step < warmup:
        return peak * step / warmup
    progress = _progress(step, steps, warmup)
    rising = max(warmup, 1) - 1
    factors: dict[str, Callable[[], float]] = {
        "cosine": lambda: cosine(progress),
        "cosine-restarts": lambda: cosine_restarts(step - rising, steps - rising, settings.restarts),
        "exponential": lambda: FLOOR**progress,
        "plateau": lambda: max(settings.plateau_factor**drops, FLOOR),
        "constant": lambda: 1.0,
    }
    return peak * factors[settings.schedule]()


def _progress(step: int, steps: int, warmup: int) -> float:
    """How far a schedule is that begins when the rise has ended: 0 to 1."""
    return (step - max(warmup, 1)) / max(steps - max(warmup, 1), 1)


@dataclass(frozen=True)
class Watch:
    """What the losses on held-out handwriting say, up to a round.

    Early stopping: Prechelt 1998 (doi:10.1007/3-540-49430-8_3), by the rounds without a new least loss.

    Attributes:
        best: The least loss; None before the first.
        best_round: The round after which it was measured; 0 before the first.
        drops: How often the loss came to a plateau.
        dropped_round: The last such round; 0 for none.
    """

    best: float | None = None
    best_round: int = 0
    drops: int = 0
    dropped_round: int = 0

    def seen(self, number: int, loss: float, *, patience: int) -> Watch:
        """What they say after one more round.

        Args:
            number: The round.
            loss: Mean loss on held-out handwriting after it.
            patience: Rounds without a new least loss that make a plateau; they are counted anew after each.
        """
        if self.best is None or loss < self.best:
            return replace(self, best=loss, best_round=number)
        if number - max(self.best_round, self.dropped_round) >= patience:
            return replace(self, drops=self.drops + 1, dropped_round=number)
        return self

    def ends(self, number: int, early_stopping: int) -> bool:
        """Whether `early_stopping` rounds, 0 for any number, have brought no new least loss."""
        return self.best is not None and 0 < early_stopping <= number - self.best_round
