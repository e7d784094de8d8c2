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
from handfed.shared.samples import Samples
from handfed.simulations.partition import SCHEMES as KNOWN
from handfed.simulations.partition import Partition, parse_scheme, split


def dataset_of(labels: NDArray[Any], writers: NDArray[Any] | None = None) -> Dataset:
    classes = max(int(labels.max()) + 1, 2)
    return Dataset(
        name="drawn",
        alphabet=Alphabet(tuple(str(label) for label in range(classes))),
        samples=Samples(np.zeros((len(labels), 28, 28), np.uint8), labels.astype(np.int32)),
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


# Those that any data set can be dealt out by, to any number of devices.
SCHEMES = st.sampled_from(
    [
        "iid",
        *("dirichlet:0.001", "dirichlet:0.3", "dirichlet:100", "dirichlet:1e6"),
        *("quantity:0.001", "quantity:0.5", "quantity:1e6"),
        *("feature:pen", "feature:scanner", "feature:paper"),
    ]
)
FRACTIONS = st.floats(0.1, 0.9)
SEEDS = st.integers(0, 2**64)
DEVICES = st.integers(1, 10)


def rows_of(partition: Partition) -> list[int]:
    rows: list[int] = []
    for device in range(partition.devices):
        rows += partition.training_rows(device).tolist() + partition.held_out_rows(device).tolist()
    return rows


def lots(partition: Partition) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What is held out, and what is trained on."""
    return partition.held_out, ~partition.held_out


def table_of(dataset: Dataset, partition: Partition, mask: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Samples by device and class."""
    rows = np.arange(len(dataset)) if mask is None else np.flatnonzero(mask)
    table = np.zeros((partition.devices, len(dataset.alphabet)), np.int64)
    np.add.at(table, (partition.device[rows], dataset.labels[rows]), 1)
    return table


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


@pytest.mark.parametrize("scheme", ["iid", "dirichlet:0.3", "shards:2", "quantity:0.5", "feature:pen"])
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
        masks.append(split(dataset, scheme="schools:1", devices=None, held_out=held_out, seed=seed).held_out)
    classes = np.count_nonzero(dataset.class_counts())
    masks.append(split(dataset, scheme=f"shards:{classes}", devices=3, held_out=held_out, seed=seed).held_out)
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


@st.composite
def shards(draw: st.DrawFn) -> tuple[Dataset, int, int]:
    """A data set, and devices and K that it can be cut into shards for."""
    dataset = draw(datasets())
    classes = int(np.count_nonzero(dataset.class_counts()))
    per_device = draw(st.integers(1, classes))
    most = min(12, len(dataset))  # a sample for each device
    return dataset, draw(st.integers(-(-classes // per_device), most)), per_device


@given(shards(), FRACTIONS, SEEDS)
def test_of_shards_each_device_holds_at_most_so_many_classes(
    cut: tuple[Dataset, int, int], held_out: float, seed: int
) -> None:
    dataset, devices, per_device = cut
    partition = split(dataset, scheme=f"shards:{per_device}", devices=devices, held_out=held_out, seed=seed)
    again = split(dataset, scheme=f"shards:{per_device}", devices=devices, held_out=held_out, seed=seed)
    table = table_of(dataset, partition)
    assert sorted(rows_of(partition)) == list(range(len(dataset)))
    assert np.array_equal(partition.device, again.device)
    assert (np.count_nonzero(table, axis=1) <= per_device).all()
    # However many devices a class is cut for, none of them is left out while there are samples.
    holders = np.count_nonzero(table, axis=0)
    cuts = devices * per_device / np.count_nonzero(dataset.class_counts())
    trained = np.bincount(dataset.labels[~partition.held_out], minlength=len(dataset.alphabet))
    assert (holders >= np.minimum(int(cuts), trained)).all()
    assert (holders <= int(np.ceil(cuts))).all()


@given(st.integers(1, 10), st.integers(1, 6), SEEDS)
def test_of_balanced_classes_each_device_holds_exactly_so_many_in_equal_parts(
    per_device: int, times: int, seed: int
) -> None:
    devices = 10 * times
    dataset = dataset_of(np.arange(10 * 120) % 10)  # 100 of a class to train on
    partition = split(dataset, scheme=f"shards:{per_device}", devices=devices, held_out=1 / 6, seed=seed)
    table = table_of(dataset, partition, partition.held_out)
    cuts = per_device * times
    assert (np.count_nonzero(table_of(dataset, partition, ~partition.held_out), axis=1) == per_device).all()
    assert set(table[table > 0].tolist()) <= {20 // cuts, 20 // cuts + 1}


def test_one_shard_each_for_as_many_devices_as_classes_is_a_whole_class() -> None:
    dataset = dataset_of(np.arange(500) % 10)
    partition = split(dataset, scheme="shards:1", devices=10, held_out=0.2, seed=7)
    table = table_of(dataset, partition)
    assert (np.sort(table, axis=1)[:, -1] == 50).all()
    assert sorted(table.argmax(axis=1).tolist()) == list(range(10))


def test_devices_hold_all_sorts_of_pairs_of_classes() -> None:
    dataset = dataset_of(np.arange(5_000) % 10)
    partition = split(dataset, scheme="shards:2", devices=100, held_out=0.2, seed=0)
    pairs = {tuple(np.flatnonzero(row).tolist()) for row in table_of(dataset, partition)}
    assert len(pairs) > 35  # of 45; 100 devices at random hold 40 of them


def test_a_class_without_samples_takes_no_shard() -> None:
    dataset = dataset_of(np.array([0, 2, 4] * 20))
    partition = split(dataset, scheme="shards:1", devices=3, held_out=0.2, seed=0)
    assert (np.count_nonzero(table_of(dataset, partition), axis=1) == 1).all()


@pytest.mark.parametrize(
    ("scheme", "devices", "message"),
    [
        ("shards:5", 3, "drawn has samples of 4 classes; K must be at most 4"),
        ("shards:1", 3, "3 devices with 1 each hold 3 of the 4 classes of drawn; choose at least 4 devices"),
        ("shards:3", 1, "1 devices with 3 each hold 3 of the 4 classes of drawn; choose at least 2 devices"),
    ],
)
def test_shards_that_cannot_be_dealt_are_refused(scheme: str, devices: int, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        split(dataset_of(np.arange(80) % 4), scheme=scheme, devices=devices, held_out=0.2, seed=0)


@given(datasets(), st.sampled_from([0.01, 0.5, 100.0]), DEVICES, FRACTIONS, SEEDS)
def test_uneven_devices_hold_the_mix_of_the_whole(
    dataset: Dataset, beta: float, devices: int, held_out: float, seed: int
) -> None:
    partition = split(dataset, scheme=f"quantity:{beta}", devices=devices, held_out=held_out, seed=seed)
    for mask in (partition.held_out, ~partition.held_out):
        table = table_of(dataset, partition, mask)
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(table.sum(), 1)
        assert (np.abs(table - expected) < len(dataset.alphabet) + 1).all()


@given(datasets(), DEVICES, FRACTIONS, SEEDS)
def test_uneven_devices_have_the_same_share_of_what_is_held_out(
    dataset: Dataset, devices: int, held_out: float, seed: int
) -> None:
    partition = split(dataset, scheme="quantity:0.5", devices=devices, held_out=held_out, seed=seed)
    held, trained = (np.bincount(partition.device[mask], minlength=devices) for mask in lots(partition))
    apart = np.abs(held / held.sum() - trained / trained.sum())
    assert (apart <= 1 / held.sum() + 1 / trained.sum() + 1e-9).all()


def test_uneven_sizes_are_those_of_the_distribution() -> None:
    dataset, devices, beta = dataset_of(np.arange(4_000) % 10), 8, 0.5
    shares = np.array(
        [
            np.bincount(
                split(dataset, scheme=f"quantity:{beta}", devices=devices, held_out=0.2, seed=seed).device,
                minlength=devices,
            )
            / 4_000
            for seed in range(100)
        ]
    )
    variance = (1 / devices) * (1 - 1 / devices) / (devices * beta + 1)
    assert np.allclose(shares.mean(axis=0), 1 / devices, atol=0.05)
    assert np.isclose(shares.var(), variance, rtol=0.2)


@given(datasets(with_writers=True), st.data(), FRACTIONS, SEEDS)
def test_schools_keep_writers_together_and_each_trains_on_one(
    dataset: Dataset, data: st.DataObject, held_out: float, seed: int
) -> None:
    trained = dataset.writer_count - min(max(int(dataset.writer_count * held_out + 0.5), 1), dataset.writer_count - 1)
    schools = data.draw(st.integers(1, trained))
    first, second = (
        split(dataset, scheme=f"schools:{schools}", devices=devices, held_out=held_out, seed=seed)
        for devices in (None, 3)
    )
    assert np.array_equal(first.device, second.device)
    assert first.devices == schools
    assert sorted(rows_of(first)) == list(range(len(dataset)))
    assert all(len(first.training_rows(school)) for school in range(schools))
    assert dataset.writers is not None
    for writer in range(dataset.writer_count):
        assert len(set(first.device[dataset.writers == writer].tolist())) == 1


@given(datasets(with_writers=True), st.integers(1, 4), SEEDS)
def test_no_school_is_larger_than_another_by_more_than_a_writer(dataset: Dataset, schools: int, seed: int) -> None:
    if dataset.writer_count < 2 * schools:
        return
    partition = split(dataset, scheme=f"schools:{schools}", devices=None, held_out=0.3, seed=seed)
    assert dataset.writers is not None
    for mask in lots(partition):
        wrote = np.bincount(dataset.writers[mask])
        sizes = np.bincount(partition.device[mask], minlength=schools)
        assert sizes.max() - sizes.min() <= wrote.max()


def test_who_wrote_most_is_not_joined_by_others_who_wrote_much() -> None:
    of_each = np.repeat(np.arange(62), [100, 100, *[5] * 60])  # two prolific writers among sixty
    for seed in range(10):
        partition = split(
            dataset_of(np.arange(500) % 10, of_each), scheme="schools:2", devices=None, held_out=0.02, seed=seed
        )
        sizes = [len(partition.training_rows(school)) for school in range(2)]
        assert max(sizes) - min(sizes) <= 5 or partition.held_out.sum() > 50


def test_no_device_is_favoured_where_shards_do_not_divide() -> None:
    dataset = dataset_of(np.arange(70) % 2)  # 28 of a class to train on, and 5 devices to hold it
    sizes = np.array(
        [
            [len(partition.training_rows(device)) for device in range(10)]
            for partition in (
                split(dataset, scheme="shards:1", devices=10, held_out=0.2, seed=seed) for seed in range(200)
            )
        ]
    )
    assert np.abs(sizes.mean(axis=0) - 5.6).max() < 0.15


def test_equal_writers_make_equal_schools() -> None:
    dataset = dataset_of(np.arange(1_200) % 10, np.arange(1_200) // 20)  # 60 writers of 20 samples
    partition = split(dataset, scheme="schools:6", devices=None, held_out=0.2, seed=1)
    assert [len(partition.training_rows(school)) for school in range(6)] == [160] * 6
    assert [len(partition.held_out_rows(school)) for school in range(6)] == [40] * 6
    other = split(dataset, scheme="schools:6", devices=None, held_out=0.2, seed=2)
    assert not np.array_equal(partition.device, other.device)


def test_more_schools_than_writers_to_train_on_are_refused() -> None:
    dataset = dataset_of(np.arange(100) % 4, np.arange(100) // 10)
    with pytest.raises(SettingError, match=r"8 writers of drawn are trained on.* choose N up to 8"):
        split(dataset, scheme="schools:9", devices=None, held_out=0.2, seed=0)


def test_a_style_leaves_samples_where_iid_has_them() -> None:
    dataset = dataset_of(np.arange(100) % 4)
    iid, pen = (split(dataset, scheme=scheme, devices=7, held_out=0.2, seed=5) for scheme in ("iid", "feature:pen"))
    assert np.array_equal(iid.device, pen.device)


def test_a_part_of_a_data_set_holds_out_writers_that_are_in_it() -> None:
    whole = dataset_of(np.arange(100) % 4, np.arange(100) // 10)
    part = whole.take(np.arange(80, 100))  # writers 8 and 9 of 10
    for seed in range(10):
        partition = split(part, scheme="iid", devices=2, held_out=0.1, seed=seed)
        assert int(partition.held_out.sum()) == 10


@pytest.mark.parametrize("scheme", KNOWN)
def test_every_known_scheme_can_be_written(scheme: str) -> None:
    name, _, parameter = scheme.partition(":")
    example = {"": "", "ALPHA": ":0.3", "BETA": ":.5", "K": ":02", "N": ":8", "STYLE": ":paper"}[parameter]
    assert parse_scheme(name + example) == parse_scheme(name + example)
    assert parse_scheme(name + example) != parse_scheme("iid" if name != "iid" else "writer")


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
        ("shard:2", "unknown; did you mean 'shards:K'"),
        ("quantities:1", "unknown; did you mean 'quantity:BETA'"),
        ("school:3", "unknown; did you mean 'schools:N'"),
        ("features:pen", "unknown; did you mean 'feature:STYLE'"),
        ("shards", "K must be a whole number, as in 'shards:2'"),
        ("shards:two", "K must be a whole number"),
        ("shards:2.0", "K must be a whole number"),
        ("shards:-1", "K must be a whole number"),
        ("shards: 2", "K must be a whole number"),
        ("shards:\u0662", "K must be a whole number"),
        ("shards:0", "K must be from 1 to 1000000, as in 'shards:2'"),
        ("shards:" + "9" * 5_000, "K must be from 1 to 1000000"),
        ("quantity:", "BETA must be a number, as in 'quantity:0.5'"),
        ("quantity:0", "BETA must be from 0.001 to 1e.06; 0.5 is usual"),
        ("schools:", "N must be a whole number, as in 'schools:8'"),
        ("schools:00", "N must be from 1 to 1000000"),
        ("feature", "STYLE must be one of pen, scanner, paper, as in 'feature:pen'"),
        ("feature:", "STYLE must be one of pen, scanner, paper"),
        ("feature:scaner", "STYLE must be .*; did you mean 'feature:scanner'"),
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
        ({"scheme": "schools:2"}, "'schools:2': drawn does not say who wrote what; choose another partition"),
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
