"""Which device holds which sample: the rules, for random data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.simulations.partition import Partition, parse_scheme, split


def dataset_of(labels: NDArray[Any], writers: NDArray[Any] | None = None) -> Dataset:
    classes = max(int(labels.max()) + 1, 2)
    return Dataset(
        name="drawn",
        alphabet=Alphabet(tuple(str(label) for label in range(classes))),
        images=np.zeros((len(labels), 28, 28), np.uint8),
        labels=labels.astype(np.int32),
        writers=None if writers is None else writers.astype(np.int32),
        source="",
        licence="",
    )


@st.composite
def datasets(draw: st.DrawFn, *, with_writers: bool | None = None) -> Dataset:
    """At least five samples of each class, so that some are held out at any fraction from 0.1."""
    classes = draw(st.integers(2, 6))
    counts = draw(st.lists(st.integers(5, 60), min_size=classes, max_size=classes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.permutation(np.repeat(np.arange(classes), counts))
    if draw(st.booleans()) if with_writers is None else with_writers:
        writers = draw(st.integers(2, min(20, len(labels))))
        of_each = np.concatenate([np.arange(writers), rng.integers(0, writers, len(labels) - writers)])
        return dataset_of(labels, rng.permutation(of_each))
    return dataset_of(labels)


SCHEMES = st.sampled_from(["iid", "dirichlet:0.001", "dirichlet:0.3", "dirichlet:100", "dirichlet:1e6"])
FRACTIONS = st.floats(0.1, 0.9)
SEEDS = st.integers(0, 2**64)
DEVICES = st.integers(1, 10)


def rows_of(partition: Partition) -> list[int]:
    rows: list[int] = []
    for device in range(partition.devices):
        rows += partition.training_rows(device).tolist() + partition.held_out_rows(device).tolist()
    return rows


@given(datasets(), SCHEMES, DEVICES, FRACTIONS, SEEDS)
def test_each_sample_is_on_exactly_one_device(
    dataset: Dataset, scheme: str, devices: int, held_out: float, seed: int
) -> None:
    partition = split(dataset, scheme=scheme, devices=devices, held_out=held_out, seed=seed)
    assert partition.devices == devices
    assert partition.device.dtype == np.int32
    assert sorted(rows_of(partition)) == list(range(len(dataset)))


@given(datasets(with_writers=True), FRACTIONS, SEEDS)
def test_by_writer_each_device_holds_what_one_writer_wrote(dataset: Dataset, held_out: float, seed: int) -> None:
    partition = split(dataset, scheme="writer", devices=None, held_out=held_out, seed=seed)
    assert dataset.writers is not None
    assert partition.devices == dataset.writer_count
    assert sorted(rows_of(partition)) == list(range(len(dataset)))
    for writer in range(dataset.writer_count):
        held, trained = partition.held_out_rows(writer), partition.training_rows(writer)
        assert sorted([*held, *trained]) == np.flatnonzero(dataset.writers == writer).tolist()
        assert len(held) == 0 or len(trained) == 0  # a held-out writer's device only evaluates


@given(datasets(), SCHEMES, DEVICES, FRACTIONS, SEEDS)
def test_the_same_seed_gives_the_same_partition(
    dataset: Dataset, scheme: str, devices: int, held_out: float, seed: int
) -> None:
    one, two = (split(dataset, scheme=scheme, devices=devices, held_out=held_out, seed=seed) for _ in range(2))
    assert np.array_equal(one.device, two.device)
    assert np.array_equal(one.held_out, two.held_out)


@pytest.mark.parametrize("scheme", ["iid", "dirichlet:0.3"])
@pytest.mark.parametrize("writers", [None, np.arange(400) % 40])
def test_another_seed_gives_another_partition(scheme: str, writers: NDArray[Any] | None) -> None:
    dataset = dataset_of(np.arange(400) % 10, writers)
    partitions = [split(dataset, scheme=scheme, devices=8, held_out=0.2, seed=seed) for seed in range(20)]
    assert len({partition.device.tobytes() for partition in partitions}) == 20
    assert len({partition.held_out.tobytes() for partition in partitions}) == 20


@given(datasets(), FRACTIONS, SEEDS, st.lists(st.tuples(SCHEMES, DEVICES), min_size=2, max_size=4))
def test_what_is_held_out_depends_on_neither_scheme_nor_devices(
    dataset: Dataset, held_out: float, seed: int, settings: list[tuple[str, int]]
) -> None:
    masks = [
        split(dataset, scheme=scheme, devices=devices, held_out=held_out, seed=seed).held_out
        for scheme, devices in settings
    ]
    if dataset.writers is not None:
        masks.append(split(dataset, scheme="writer", devices=None, held_out=held_out, seed=seed).held_out)
    assert all(np.array_equal(mask, masks[0]) for mask in masks)


@given(datasets(with_writers=True), SCHEMES, DEVICES, FRACTIONS, SEEDS)
def test_no_writer_is_on_both_sides(dataset: Dataset, scheme: str, devices: int, held_out: float, seed: int) -> None:
    partition = split(dataset, scheme=scheme, devices=devices, held_out=held_out, seed=seed)
    assert dataset.writers is not None
    tested, trained = (set(dataset.writers[mask].tolist()) for mask in (partition.held_out, ~partition.held_out))
    assert partition.split_by == "writer"
    assert not tested & trained
    assert len(tested) == min(max(int(dataset.writer_count * held_out + 0.5), 1), dataset.writer_count - 1)


@given(datasets(with_writers=False), SCHEMES, DEVICES, FRACTIONS, SEEDS)
def test_without_writers_the_fraction_of_every_class_is_held_out(
    dataset: Dataset, scheme: str, devices: int, held_out: float, seed: int
) -> None:
    partition = split(dataset, scheme=scheme, devices=devices, held_out=held_out, seed=seed)
    assert partition.split_by == "image"
    held = np.bincount(dataset.labels[partition.held_out], minlength=len(dataset.alphabet))
    for count, of in zip(held.tolist(), dataset.class_counts().tolist(), strict=True):
        assert count == min(int(of * held_out + 0.5), of - 1)


@given(datasets(), DEVICES, FRACTIONS, SEEDS)
def test_iid_shares_differ_by_at_most_one(dataset: Dataset, devices: int, held_out: float, seed: int) -> None:
    partition = split(dataset, scheme="iid", devices=devices, held_out=held_out, seed=seed)
    for rows in (partition.training_rows, partition.held_out_rows):
        sizes = [len(rows(device)) for device in range(devices)]
        assert max(sizes) - min(sizes) <= 1


@given(datasets(with_writers=False), DEVICES, SEEDS)
def test_dirichlet_shares_of_a_class_are_the_same_held_out_as_trained_on(
    dataset: Dataset, devices: int, seed: int
) -> None:
    partition = split(dataset, scheme="dirichlet:0.5", devices=devices, held_out=0.4, seed=seed)
    for label in range(len(dataset.alphabet)):
        held, trained = (
            np.bincount(partition.device[mask & (dataset.labels == label)], minlength=devices)
            for mask in (partition.held_out, ~partition.held_out)
        )
        # Each is the share times the samples, rounded at both of its ends.
        apart = np.abs(held / held.sum() - trained / trained.sum()) if held.sum() else np.zeros(devices)
        assert (apart <= 1 / max(held.sum(), 1) + 1 / trained.sum() + 1e-9).all()


def test_a_small_alpha_gives_a_class_to_few_devices_and_a_large_one_to_all() -> None:
    dataset = dataset_of(np.arange(5_000) % 10)
    largest_share = []
    for alpha in ("0.01", "0.3", "1000"):
        partition = split(dataset, scheme=f"dirichlet:{alpha}", devices=10, held_out=0.2, seed=3)
        table = np.zeros((10, 10))
        np.add.at(table, (dataset.labels, partition.device), 1)
        largest_share.append(float((table.max(axis=1) / table.sum(axis=1)).mean()))
    assert largest_share[0] > 0.85
    assert 0.3 < largest_share[1] < 0.7
    assert largest_share[2] < 0.13


def test_dirichlet_shares_are_those_of_the_distribution() -> None:
    """The mean share is 1 / devices and its variance (1 / d)(1 - 1 / d) / (d * alpha + 1)."""
    dataset = dataset_of(np.repeat(np.arange(400), 200))
    devices, alpha = 5, 0.5
    partition = split(dataset, scheme=f"dirichlet:{alpha}", devices=devices, held_out=0.1, seed=1)
    table = np.zeros((400, devices))
    np.add.at(table, (dataset.labels, partition.device), 1 / 200)
    variance = (1 / devices) * (1 - 1 / devices) / (devices * alpha + 1)
    assert np.allclose(table.mean(axis=0), 1 / devices, atol=0.04)
    assert np.allclose(table.var(axis=0), variance, rtol=0.3)


def test_equal_dirichlet_shares_give_equal_counts() -> None:
    partition = split(dataset_of(np.arange(80) % 2), scheme="dirichlet:1e6", devices=4, held_out=0.2, seed=0)
    assert [len(partition.training_rows(device)) for device in range(4)] == [16] * 4
    assert [len(partition.held_out_rows(device)) for device in range(4)] == [4] * 4


def test_one_device_gets_everything() -> None:
    for scheme in ("iid", "dirichlet:0.1"):
        partition = split(dataset_of(np.arange(40) % 4), scheme=scheme, devices=1, held_out=0.2, seed=0)
        assert len(partition.training_rows(0)) == 32
        assert len(partition.held_out_rows(0)) == 8


def test_a_part_of_a_data_set_holds_out_writers_that_are_in_it() -> None:
    whole = dataset_of(np.arange(100) % 4, np.arange(100) // 10)
    part = whole.take(np.arange(80, 100))  # writers 8 and 9 of 10
    for seed in range(10):
        partition = split(part, scheme="iid", devices=2, held_out=0.1, seed=seed)
        assert int(partition.held_out.sum()) == 10


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("dirichlt:0.3", "unknown; did you mean 'dirichlet:ALPHA'"),
        ("idd", "unknown; did you mean 'iid'"),
        ("writers", "unknown; did you mean 'writer'"),
        ("", "unknown; known: iid, dirichlet:ALPHA, writer"),
        ("IID", "unknown; known"),
        ("iid:3", "'iid' takes no parameter"),
        ("writer:", "'writer' takes no parameter"),
        ("dirichlet", "ALPHA must be a number"),
        ("dirichlet:", "ALPHA must be a number"),
        ("dirichlet:small", "ALPHA must be a number"),
        ("dirichlet:0,3", "ALPHA must be a number"),
        ("dirichlet:0", "ALPHA must be from 0.001"),
        ("dirichlet:-1", "ALPHA must be from 0.001"),
        ("dirichlet:nan", "ALPHA must be from 0.001"),
        ("dirichlet:inf", "ALPHA must be from 0.001"),
        ("dirichlet:1e-9", "ALPHA must be from 0.001"),
    ],
)
def test_an_unusable_scheme_is_refused(scheme: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        parse_scheme(scheme)
    with pytest.raises(SettingError, match=message):
        split(dataset_of(np.arange(20) % 2), scheme=scheme, devices=2, held_out=0.2, seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"devices": 0}, "devices is 0; it must be at least 1 and at most 20"),
        ({"devices": -3}, "devices is -3"),
        ({"devices": 21}, "devices is 21; .* at most 20"),
        ({"devices": None}, "devices is None"),
        ({"held_out": 0.0}, r"held_out is 0\.0; it must be above 0"),
        ({"held_out": -0.1}, "held_out is -0.1"),
        ({"held_out": 0.91}, r"held_out is 0\.91; .* at most 0\.9"),
        ({"held_out": float("nan")}, "held_out is nan"),
        ({"held_out": 0.01}, "less than half an image of every class"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"scheme": "writer"}, "drawn does not say who wrote what; choose another partition"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(changes: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"scheme": "iid", "devices": 2, "held_out": 0.2, "seed": 0}
    with pytest.raises(SettingError, match=message):
        split(dataset_of(np.arange(20) % 2), **{**settings, **changes})


def test_one_writer_cannot_be_held_out() -> None:
    dataset = dataset_of(np.arange(20) % 2, np.zeros(20))
    with pytest.raises(SettingError, match="drawn has one writer"):
        split(dataset, scheme="iid", devices=2, held_out=0.2, seed=0)


@pytest.mark.parametrize("device", [-1, 2])
def test_a_device_that_is_not_there_has_no_rows(device: int) -> None:
    partition = split(dataset_of(np.arange(20) % 2), scheme="iid", devices=2, held_out=0.2, seed=0)
    for rows in (partition.training_rows, partition.held_out_rows):
        with pytest.raises(SettingError, match=f"no device {device}; they are numbered from 0 to 1"):
            rows(device)


def test_as_many_devices_as_samples_are_allowed() -> None:
    partition = split(dataset_of(np.arange(20) % 2), scheme="iid", devices=20, held_out=0.2, seed=0)
    assert sorted(rows_of(partition)) == list(range(20))
