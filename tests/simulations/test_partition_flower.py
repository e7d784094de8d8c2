"""Where our rule and that of a partitioner of Flower Datasets are the same, so is what comes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.samples import Samples
from handfed.simulations.partition import Partition, split

huggingface = pytest.importorskip("datasets", reason="the extra `femnist` of handfed-simulations is not installed")
flower = pytest.importorskip("flwr_datasets.partitioner", reason="Flower Datasets is not installed")

CLASSES = 10
LABELS = (np.random.default_rng(0).permutation(3_000) % CLASSES).astype(np.int32)


def dataset_of(labels: NDArray[np.int32], writers: NDArray[np.int32] | None = None) -> Dataset:
    alphabet = Alphabet(tuple(str(label) for label in range(CLASSES)))
    return Dataset("drawn", alphabet, Samples(np.zeros((len(labels), 28, 28), np.uint8), labels), writers, "", "")


def flowers(partitioner: Any, **columns: NDArray[Any]) -> list[list[int]]:
    """The rows of each of its partitions."""
    rows = {"row": np.arange(len(next(iter(columns.values()))))}
    partitioner.dataset = huggingface.Dataset.from_dict({**columns, **rows})
    return [sorted(partitioner.load_partition(each)["row"]) for each in range(partitioner.num_partitions)]


def ours(partition: Partition) -> list[list[int]]:
    return [np.flatnonzero(partition.device == device).tolist() for device in range(partition.devices)]


def test_one_class_each_is_the_same_partition_but_for_the_order_of_devices() -> None:
    partitioner = flower.PathologicalPartitioner(CLASSES, "label", 1, class_assignment_mode="deterministic")
    partition = split(dataset_of(LABELS), scheme="shards:1", devices=CLASSES, held_out=0.2, seed=0)
    assert sorted(ours(partition)) == sorted(flowers(partitioner, label=LABELS))


@pytest.mark.parametrize("per_device", [2, 3, 10])
def test_devices_hold_as_many_classes_and_classes_are_on_as_many_devices(per_device: int) -> None:
    devices = 20
    partitioner = flower.PathologicalPartitioner(devices, "label", per_device, class_assignment_mode="deterministic")
    partition = split(dataset_of(LABELS), scheme=f"shards:{per_device}", devices=devices, held_out=0.2, seed=0)
    for found in (ours(partition), flowers(partitioner, label=LABELS)):
        holds = np.array([np.bincount(LABELS[rows], minlength=CLASSES) > 0 for rows in found])
        assert holds.sum(axis=1).tolist() == [per_device] * devices
        assert holds.sum(axis=0).tolist() == [devices * per_device // CLASSES] * CLASSES


def test_from_the_same_generator_dirichlet_gives_the_same_counts_but_for_rounding() -> None:
    devices, seed = 7, 3
    partition = split(dataset_of(LABELS), scheme="dirichlet:0.5", devices=devices, held_out=0.2, seed=seed)
    trained = LABELS[~partition.held_out]
    for_devices = np.random.SeedSequence(seed).spawn(2)[1]
    partitioner = flower.DirichletPartitioner(devices, "label", 0.5, min_partition_size=0, seed=for_devices)
    theirs = np.array([np.bincount(trained[rows], minlength=CLASSES) for rows in flowers(partitioner, label=trained)])
    counts = np.zeros((devices, CLASSES), np.int64)
    np.add.at(counts, (partition.device[~partition.held_out], trained), 1)
    assert np.abs(counts - theirs).max() <= 1  # they cut the running total, we round it


def test_groups_of_equal_writers_are_as_large() -> None:
    writers = (np.arange(3_000) // 50).astype(np.int32)  # 60 writers, of whom 12 are held out
    partition = split(dataset_of(LABELS, writers), scheme="schools:6", devices=None, held_out=0.2, seed=0)
    trained = writers[~partition.held_out]
    theirs = flowers(flower.GroupedNaturalIdPartitioner("writer", 8), writer=trained)
    of_devices = [writers[partition.training_rows(school)] for school in range(6)]
    assert [len(rows) for rows in of_devices] == [len(rows) for rows in theirs]
    assert [len(set(rows.tolist())) for rows in of_devices] == [len(set(trained[rows].tolist())) for rows in theirs]
