"""The moving average of the models that a run's rounds leave.

What a round leaves leans to the devices that had it, the more the fewer they are and the farther they went. The average
over rounds is of many devices, while the model that they go on from keeps its pace (Polyak and Juditsky 1992,
doi:10.1137/0330046; over the rounds of a federation: Caldarola et al. 2022, arXiv:2203.11834).
"""

from __future__ import annotations

import numpy as np

from handfed.server.flower.state import Arrays


def averaged(average: Arrays | None, arrays: Arrays, rounds: int, decay: float) -> Arrays:
    """The exponential moving average of the models of all rounds so far.

    In the first rounds it forgets faster, as TensorFlow's `ExponentialMovingAverage` does.

    Args:
        average: Of the rounds before; None for the first.
        arrays: The combined model of this round, by name.
        rounds: How many there are, this one among them.
        decay: What the average keeps of itself in a round, 0 to below 1.
    """
    if average is None:
        return arrays
    kept = np.float32(min(decay, rounds / (9 + rounds)))
    return {name: kept * average[name] + (1 - kept) * array for name, array in arrays.items()}
