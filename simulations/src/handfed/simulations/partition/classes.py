"""Schemes whose devices hold different classes (label skew)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.partition.scheme import Devices, Rows, Scheme, in_two_lots


@dataclass(frozen=True)
class Dirichlet(Scheme):
    """Deals each class by shares drawn from Dirichlet(alpha), the same for both lots.

    Source: Yurochkin et al. 2019, arXiv:1905.12022.

    Attributes:
        alpha: Concentration; the smaller, the fewer devices hold most of a class.
    """

    alpha: float

    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """As `Scheme.assign`; a device's part of a class is its share, rounded at both of its ends."""
        shares = rng.dirichlet(np.full(devices, self.alpha), size=len(dataset.alphabet))  # (classes, devices)

        def deal(rows: Rows) -> Devices:
            device = np.empty(len(rows), np.int32)
            labels = dataset.strata[rows]
            for label in range(len(dataset.alphabet)):
                places = rng.permutation(np.flatnonzero(labels == label))
                # Rounding the running total, not each share, hands out every sample exactly once.
                ends = np.rint(np.cumsum(shares[label])[:-1] * len(places)).astype(np.int64)
                device[places] = np.searchsorted(ends, np.arange(len(places)), side="right")
            return device

        return in_two_lots(held_out, deal)


@dataclass(frozen=True)
class Shards(Scheme):
    """Cuts each class into shards and deals each device K shards of K different classes.

    Source: McMahan et al. 2017, arXiv:1602.05629, section 3. They sort all samples by class and cut the line into
    devices * K shards, so that a shard may straddle two classes and a device may draw the same class twice. Here every
    class is cut by itself, into as many shards as any other; where devices * K is no multiple of the classes, some,
    drawn at random, are cut into one more. So a device holds at most K classes, and fewer only where a class has fewer
    samples than shards.

    Attributes:
        per_device: K, at least 1.
    """

    per_device: int

    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """As `Scheme.assign`; the shards of a class differ by at most one sample.

        Raises:
            SettingError: A device cannot hold so many classes, or some class would be on no device.
        """
        written = np.unique(dataset.strata)
        self._check(dataset.name, len(written), devices)
        hands = _dealt(rng.permutation(written), devices, self.per_device, rng)
        holders = {label: np.flatnonzero((hands == label).any(axis=1)) for label in written.tolist()}

        def deal(rows: Rows) -> Devices:
            device = np.empty(len(rows), np.int32)
            labels = dataset.strata[rows]
            for label, of_class in holders.items():
                places = rng.permutation(np.flatnonzero(labels == label))
                device[places] = rng.permutation(of_class)[np.arange(len(places)) % len(of_class)]
            return device

        return in_two_lots(held_out, deal)

    def _check(self, name: str, classes: int, devices: int) -> None:
        scheme, shards = f"shards:{self.per_device}", devices * self.per_device
        if self.per_device > classes:
            raise SettingError(
                f"partition {scheme!r}: {name} has samples of {classes} classes; K must be at most {classes}"
            )
        if shards < classes:
            least = -(-classes // self.per_device)
            raise SettingError(
                f"partition {scheme!r}: {devices} devices with {self.per_device} each hold {shards} of the {classes}"
                f" classes of {name}; choose at least {least} devices, or a larger K"
            )


def _dealt(classes: Rows, devices: int, per_device: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Deals shards at random so that nobody holds two of one class.

    Args:
        classes: int (c,), at least `per_device`; the first are those that are cut into one shard more.
        devices: How many.
        per_device: Shards that each is dealt.
        rng: Shuffles them.

    Returns:
        int64 (devices, per_device), the class of each shard.
    """
    deck = np.resize(classes, devices * per_device)  # as often each, or once more
    hands: NDArray[np.int64] = rng.permutation(deck).reshape(devices, per_device)
    for device in range(devices):
        while (twice := _repeated(hands[device])) is not None:
            _swap(hands, device, twice, rng)
    return hands


def _repeated(hand: Rows) -> int | None:
    """The place of a shard whose class the hand holds already."""
    for place in range(1, len(hand)):
        if hand[place] in hand[:place]:
            return place
    return None


def _swap(hands: NDArray[np.int64], device: int, place: int, rng: np.random.Generator) -> None:
    """Gives a repeated shard to a device that lacks its class, for one that does it no harm.

    No class has more shards than there are devices, so somebody lacks it. That hand repeats a class, and gives one of
    these away; or all its classes differ, and one of them is new here, because a hand that repeats has fewer. Either
    way there is a repetition less in all, and so this comes to an end.
    """
    label = hands[device, place]
    other = int(rng.choice(np.flatnonzero(~(hands == label).any(axis=1))))
    spare = _repeated(hands[other])
    if spare is None:
        spare = int(rng.choice(np.flatnonzero(~np.isin(hands[other], hands[device]))))
    hands[device, place], hands[other, spare] = hands[other, spare], label
