"""Which device holds which sample, and which samples no device trains on.

| scheme | what each device gets | source |
|---|---|---|
| `iid` | an equal share of everything, at random | McMahan et al. 2017, arXiv:1602.05629, section 3 |
| `dirichlet:ALPHA` | of each class a share drawn from Dirichlet(ALPHA) | Yurochkin et al. 2019, arXiv:1905.12022 |
| `writer` | what one writer wrote: each writer is a device | Caldas et al. 2018, arXiv:1812.01097 (FEMNIST) |

A small ALPHA gives each class to a few devices, a large one comes close to `iid`; Hsu et al. 2019, arXiv:1909.06335,
measure what that does to federated averaging (they draw each device's classes instead of each class's devices).

Rules:
1. Every sample is on exactly one device, held out or not. A device evaluates on its held-out samples.
2. Where writers are known, whole writers are held out, so that the figures speak of new people; otherwise images,
   the same fraction of every class.
3. What is held out follows from the data set, the fraction and the seed alone, so that schemes and numbers of devices
   are compared on the same samples.
4. The shares of a class are the same for what is trained on and what is held out: a device is evaluated on the mix of
   classes that it learns.
5. A device may hold little or nothing: under `dirichlet` by chance, under `writer` because its writer is held out and
   it only evaluates. A class that only held-out writers wrote is not trained on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError

SCHEMES: Final = ("iid", "dirichlet:ALPHA", "writer")
MOST_HELD_OUT: Final = 0.9
_ALPHAS: Final = (1e-3, 1e6)  # beyond these float64 knows only "one device" and "equal shares"

Rows = NDArray[np.int64]
Deal = Callable[[Rows], NDArray[np.int32]]  # rows (n,) -> the device of each (n,)


@dataclass(frozen=True, eq=False)
class Partition:
    """Where each sample of a data set is.

    Attributes:
        device: int32 (n,), the device of each sample, from 0 to `devices - 1`.
        held_out: bool (n,), true where the sample is never trained on.
        devices: How many devices there are, those without samples included.
        split_by: What was held out whole: an `image`, or a `writer` with all they wrote.
    """

    device: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    devices: int
    split_by: Literal["image", "writer"]

    def training_rows(self, device: int) -> Rows:
        """Rows of the data set that a device trains on, ascending; perhaps none."""
        return np.flatnonzero(self._on(device) & ~self.held_out)

    def held_out_rows(self, device: int) -> Rows:
        """Rows of the data set that a device evaluates on, ascending; perhaps none."""
        return np.flatnonzero(self._on(device) & self.held_out)

    def _on(self, device: int) -> NDArray[np.bool_]:
        if not 0 <= device < self.devices:
            raise SettingError(f"there is no device {device}; they are numbered from 0 to {self.devices - 1}")
        mask: NDArray[np.bool_] = self.device == device
        return mask


def split(dataset: Dataset, *, scheme: str, devices: int | None, held_out: float, seed: int) -> Partition:
    """Deals a data set out to devices.

    Args:
        dataset: What is dealt out.
        scheme: One of `SCHEMES`.
        devices: How many devices, at least 1 and at most one a sample; not looked at for `writer`.
        held_out: The fraction that is held out, of the writers or of each class's images; above 0, up to 0.9.
        seed: At least 0; the same seed gives the same partition.

    Returns:
        Of `w` writers `held_out * w` are held out, rounded half up, at least one and not all; of `n` images of a class
        `held_out * n`, rounded half up, and not all.

    Raises:
        SettingError: A setting is unknown or out of its range, or the data set cannot be split so.
    """
    name, alpha = parse_scheme(scheme)
    if not 0 < held_out <= MOST_HELD_OUT:  # not true of NaN either
        raise SettingError(f"held_out is {held_out}; it must be above 0 and at most {MOST_HELD_OUT}")
    if seed < 0:
        raise SettingError(f"seed is {seed}; it must be 0 or more")
    for_held_out, for_devices = np.random.SeedSequence(seed).spawn(2)
    mask = _hold_out(dataset, held_out, np.random.default_rng(for_held_out))
    split_by: Literal["image", "writer"] = "image" if dataset.writers is None else "writer"
    if name == "writer":
        return Partition(_one_device_a_writer(dataset), mask, dataset.writer_count, split_by)
    count = _checked_devices(devices, len(dataset))
    rng = np.random.default_rng(for_devices)
    deal = _iid(count, rng) if alpha is None else _dirichlet(dataset, count, alpha, rng)
    device = np.empty(len(dataset), np.int32)
    for rows in (np.flatnonzero(~mask), np.flatnonzero(mask)):
        device[rows] = deal(rows)
    return Partition(device, mask, count, split_by)


def parse_scheme(scheme: str) -> tuple[str, float | None]:
    """The name of a scheme, and its ALPHA where it has one.

    Raises:
        SettingError: There is no such scheme, or ALPHA is missing, not a number, or out of its range.
    """
    name, colon, parameter = scheme.partition(":")
    known = [each.partition(":")[0] for each in SCHEMES]
    if name not in known:
        near = get_close_matches(name, known, n=1)
        suggestion = f"; did you mean {SCHEMES[known.index(near[0])]!r}" if near else ""
        raise SettingError(f"partition {scheme!r} is unknown{suggestion}; known: {', '.join(SCHEMES)}")
    if name != "dirichlet":
        if colon:
            raise SettingError(f"partition {scheme!r}: {name!r} takes no parameter; write {name!r}")
        return name, None
    try:
        alpha = float(parameter)
    except ValueError:
        raise SettingError(f"partition {scheme!r}: ALPHA must be a number, as in 'dirichlet:0.3'") from None
    least, most = _ALPHAS
    if not least <= alpha <= most:  # not true of NaN either
        raise SettingError(f"partition {scheme!r}: ALPHA must be from {least:g} to {most:g}; 0.3 is usual")
    return name, alpha


def _checked_devices(devices: int | None, samples: int) -> int:
    if devices is None or not 1 <= devices <= samples:
        raise SettingError(f"devices is {devices}; it must be at least 1 and at most {samples}, one a sample")
    return devices


def _hold_out(dataset: Dataset, fraction: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """What is held out, as bool (n,)."""
    if dataset.writers is not None:
        writers = np.unique(dataset.writers)  # of a part of a data set, not every number occurs
        if len(writers) < 2:  # noqa: PLR2004 - one to train on, one to hold out
            raise SettingError(f"{dataset.name} has one writer, and a writer must be held out; add another's samples")
        count = min(max(_rounded(len(writers) * fraction), 1), len(writers) - 1)
        return np.isin(dataset.writers, rng.permutation(writers)[:count])
    mask = np.zeros(len(dataset), np.bool_)
    for label in range(len(dataset.alphabet)):
        rows = np.flatnonzero(dataset.labels == label)
        count = min(_rounded(len(rows) * fraction), max(len(rows) - 1, 0))
        mask[rng.permutation(rows)[:count]] = True
    if not mask.any():
        raise SettingError(f"held_out is {fraction}, less than half an image of every class of {dataset.name}")
    return mask


def _rounded(value: float) -> int:
    return math.floor(value + 0.5)


def _one_device_a_writer(dataset: Dataset) -> NDArray[np.int32]:
    if dataset.writers is None:
        raise SettingError(
            f"partition 'writer': {dataset.name} does not say who wrote what; choose another partition, such as"
            " 'dirichlet:0.3', or another data set"
        )
    return dataset.writers.astype(np.int32)


def _iid(devices: int, rng: np.random.Generator) -> Deal:
    """Deals rows like cards: the devices' shares differ by at most one."""

    def deal(rows: Rows) -> NDArray[np.int32]:
        return rng.permutation(np.arange(len(rows)) % devices).astype(np.int32)

    return deal


def _dirichlet(dataset: Dataset, devices: int, alpha: float, rng: np.random.Generator) -> Deal:
    """Deals each class by the same shares every time, drawn here."""
    shares = rng.dirichlet(np.full(devices, alpha), size=len(dataset.alphabet))  # (classes, devices)

    def deal(rows: Rows) -> NDArray[np.int32]:
        device = np.empty(len(rows), np.int32)
        labels = dataset.labels[rows]
        for label in range(len(dataset.alphabet)):
            places = rng.permutation(np.flatnonzero(labels == label))
            # Rounding the running total, not each share, hands out every sample exactly once.
            ends = np.rint(np.cumsum(shares[label])[:-1] * len(places)).astype(np.int64)
            device[places] = np.searchsorted(ends, np.arange(len(places)), side="right")
        return device

    return deal
