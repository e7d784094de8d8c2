"""Learning rates over the rounds of a run, as pure functions of progress."""

from __future__ import annotations

import math


def cosine_with_warmup(step: int, steps: int, *, peak: float, warmup: int, floor: float = 0.02) -> float:
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
    progress = (step - max(warmup, 1)) / max(steps - max(warmup, 1), 1)
    return peak * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)
