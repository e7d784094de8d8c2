"""What every partition scheme is: a value that deals a data set out to devices.

Training samples and held-out ones are dealt in two lots by the same rule (rule 4 of the package).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError

Rows = NDArray[np.int64]
Devices = NDArray[np.int32]
Deal = Callable[[Rows], Devices]  # rows (n,) -> the device of each (n,)


class Scheme(ABC):
    """Who holds what."""

    def device_count(self, dataset: Dataset, asked: int | None) -> int:
        """How many devices there are.

        Args:
            dataset: What is dealt out.
            asked: How many were asked for; schemes that follow from writers do not look at it.

        Raises:
            SettingError: The data set cannot be dealt out to so many.
        """
        if asked is None or not 1 <= asked <= len(dataset):
            raise SettingError(f"devices is {asked}; it must be at least 1 and at most {len(dataset)}, one a sample")
        return asked

    @abstractmethod
    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """The device of each sample.

        Args:
            dataset: What is dealt out.
            held_out: bool (n,), true where a sample is never trained on.
            devices: As `device_count` gives it.
            rng: Draws what is left to chance.

        Returns:
            int32 (n,), from 0 to `devices - 1`.

        Raises:
            SettingError: The data set cannot be dealt out so.
        """


def in_two_lots(held_out: NDArray[np.bool_], deal: Deal) -> Devices:
    """Deals what is trained on, then what is held out."""
    device = np.empty(len(held_out), np.int32)
    for rows in (np.flatnonzero(~held_out), np.flatnonzero(held_out)):
        device[rows] = deal(rows)
    return device
