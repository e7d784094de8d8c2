"""A partition as a value, and how a data set comes to have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.partition.held_out import hold_out
from handfed.simulations.partition.parsing import parse_scheme
from handfed.simulations.partition.scheme import Rows
from handfed.simulations.partition.unlabelled import without_label

MOST_HELD_OUT: Final = 0.9


@dataclass(frozen=True, eq=False)
class Partition:
    """Where each sample of a data set is.

    Attributes:
        device: int32 (n,), the device of each sample, from 0 to `devices - 1`.
        held_out: bool (n,), true where the sample is never trained on.
        unlabelled: bool (n,), true where a device holds the sample without its label; of what is not held out.
        devices: How many devices there are, those without samples included.
        split_by: What was held out whole: an `image`, or a `writer` with all they wrote.
    """

    device: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    unlabelled: NDArray[np.bool_]
    devices: int
    split_by: Literal["image", "writer"]

    @property
    def training(self) -> NDArray[np.bool_]:
        """Bool (n,), true where a device trains on the sample with its label."""
        return ~(self.held_out | self.unlabelled)

    def training_rows(self, device: int) -> Rows:
        """Rows of the data set that a device trains on with their labels, ascending; perhaps none."""
        return np.flatnonzero(self._on(device) & self.training)

    def unlabelled_rows(self, device: int) -> Rows:
        """Rows of the data set that a device holds without their labels, ascending; perhaps none."""
        return np.flatnonzero(self._on(device) & self.unlabelled)

    def held_out_rows(self, device: int) -> Rows:
        """Rows of the data set that a device evaluates on, ascending; perhaps none."""
        return np.flatnonzero(self._on(device) & self.held_out)

    def _on(self, device: int) -> NDArray[np.bool_]:
        if not 0 <= device < self.devices:
            raise SettingError(f"there is no device {device}; they are numbered from 0 to {self.devices - 1}")
        mask: NDArray[np.bool_] = self.device == device
        return mask


def split(
    dataset: Dataset, *, scheme: str, devices: int | None, held_out: float, seed: int, labelled: float = 1.0
) -> Partition:
    """Deals a data set out to devices.

    Args:
        dataset: What is dealt out.
        scheme: One of `SCHEMES`.
        devices: How many devices, at least 1 and at most one a sample; not looked at for `writer` and `schools:N`.
        held_out: The fraction that is held out, of the writers or of each class's images; above 0, up to 0.9.
        seed: At least 0; the same seed gives the same partition.
        labelled: Fraction of what each device trains on that has a label, above 0, up to 1; rounded up.

    Returns:
        Of `w` writers `held_out * w` are held out, rounded half up, at least one and not all; of `n` images of a class
        `held_out * n`, rounded half up, and not all.

    Raises:
        SettingError: A setting is unknown or out of its range, or the data set cannot be split so.
    """
    parsed = parse_scheme(scheme)
    if not 0 < held_out <= MOST_HELD_OUT:  # not true of NaN either
        raise SettingError(f"held_out is {held_out}; it must be above 0 and at most {MOST_HELD_OUT}")
    if not 0 < labelled <= 1:
        raise SettingError(f"labelled is {labelled}; it must be above 0 and at most 1")
    if seed < 0:
        raise SettingError(f"seed is {seed}; it must be 0 or more")
    for_held_out, for_devices = np.random.SeedSequence(seed).spawn(2)  # a third is that of device styles
    mask = hold_out(dataset, held_out, np.random.default_rng(for_held_out))
    count = parsed.device_count(dataset, devices)
    device = parsed.assign(dataset, mask, count, np.random.default_rng(for_devices))
    unlabelled = without_label(device, mask, count, labelled, seed)
    return Partition(device, mask, unlabelled, count, "image" if dataset.writers is None else "writer")
