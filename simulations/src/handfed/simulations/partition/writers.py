"""Schemes that keep together what one person wrote."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.partition.scheme import Devices, Rows, Scheme, in_two_lots


@dataclass(frozen=True)
class ByWriter(Scheme):
    """Each writer is a device.

    Source: Caldas et al. 2018, LEAF, arXiv:1812.01097.
    """

    def device_count(self, dataset: Dataset, asked: int | None) -> int:
        """The writers of the data set, whatever was asked for."""
        del asked
        _writers_of(dataset, "writer")
        return dataset.writer_count

    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """As `Scheme.assign`."""
        del held_out, devices, rng
        return _writers_of(dataset, "writer").astype(np.int32)


@dataclass(frozen=True)
class Schools(Scheme):
    """Each device is a school: a group of writers, of whom some are held out.

    Writers who train and writers who are held out are each spread over the schools so that a school has as many samples
    as another, as far as whole writers allow: who wrote most comes first and joins the school with least.

    Source: Li et al. 2022, arXiv:2102.02079 (the writers of FEMNIST divided among parties); Graham 1969,
    "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2): the fullest school has at most 4/3 of what
    the best grouping would give it.

    Attributes:
        count: How many schools, at least 1.
    """

    count: int

    def device_count(self, dataset: Dataset, asked: int | None) -> int:
        """The schools, whatever was asked for."""
        del asked
        _writers_of(dataset, f"schools:{self.count}")
        return self.count

    def assign(self, dataset: Dataset, held_out: NDArray[np.bool_], devices: int, rng: np.random.Generator) -> Devices:
        """As `Scheme.assign`; every school trains on a writer at least.

        Raises:
            SettingError: There are fewer writers to train on than schools.
        """
        writers = _writers_of(dataset, f"schools:{self.count}")
        training = len(np.unique(writers[~held_out]))
        if training < devices:
            raise SettingError(
                f"partition 'schools:{self.count}': {training} writers of {dataset.name} are trained on, and each"
                f" school needs one; choose N up to {training}, or hold out less"
            )

        def deal(rows: Rows) -> Devices:
            found, position = np.unique(writers[rows], return_inverse=True)
            return _grouped(np.bincount(position, minlength=len(found)), devices, rng)[position]

        return in_two_lots(held_out, deal)


def _grouped(samples: Rows, groups: int, rng: np.random.Generator) -> Devices:
    """The group of each writer, int32 (writers,), so that groups have about as many samples each.

    Args:
        samples: int (writers,), how many each wrote.
        groups: How many.
        rng: Decides between equals.
    """
    group = np.empty(len(samples), np.int32)
    shuffled = rng.permutation(len(samples))
    least_first = [(0, order, each) for order, each in enumerate(rng.permutation(groups).tolist())]  # a heap already
    for writer in shuffled[np.argsort(-samples[shuffled], kind="stable")].tolist():
        total, order, each = least_first[0]
        group[writer] = each
        heapq.heapreplace(least_first, (total + int(samples[writer]), order, each))
    return group


def _writers_of(dataset: Dataset, scheme: str) -> NDArray[np.int32]:
    if dataset.writers is None:
        raise SettingError(
            f"partition {scheme!r}: {dataset.name} does not say who wrote what; choose another partition, such as"
            " 'dirichlet:0.3', or another data set"
        )
    return dataset.writers
