"""Schemes whose devices hold the same mix of classes: as much each, or more and less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.simulations.partition.scheme import Devices, Rows, Scheme, in_two_lots


@dataclass(frozen=True)
class Iid(Scheme):
    """Deals samples like cards: the devices' shares differ by at most one."""

    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """As `Scheme.assign`."""
        del dataset

        def deal(rows: Rows) -> Devices:
            return rng.permutation(np.arange(len(rows)) % devices).astype(np.int32)

        return in_two_lots(held_out, deal)


@dataclass(frozen=True)
class Quantity(Scheme):
    """Each device holds a share of all samples drawn from Dirichlet(beta), and the classes as all samples have them.

    Source: Li, Diao, Chen and He 2022, "Federated learning on non-IID data silos", arXiv:2102.02079, quantity
    skew (q ~ Dir(beta)). They take the samples of a share at random; here its classes are held to the mix of
    the whole, so that size is all that differs.

    Attributes:
        beta: Concentration; the smaller, the more uneven.
    """

    beta: float

    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """As `Scheme.assign`; a device's lot is its share, rounded at both of its ends."""
        ends = np.cumsum(rng.dirichlet(np.full(devices, self.beta)))[:-1]

        def deal(rows: Rows) -> Devices:
            device = np.empty(len(rows), np.int32)
            line = _evenly_mixed(dataset.strata[rows], rng)
            device[line] = np.searchsorted(np.rint(ends * len(rows)), np.arange(len(rows)), side="right")
            return device

        return in_two_lots(held_out, deal)


def _evenly_mixed(labels: NDArray[np.int32], rng: np.random.Generator) -> Rows:
    """The samples in a random line in which every class is spread evenly, so that any stretch has the whole's mix."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = rng.permutation(np.flatnonzero(labels == label))
        place[of_class] = (np.arange(len(of_class)) + rng.random()) / len(of_class)
    return np.argsort(place, kind="stable")
