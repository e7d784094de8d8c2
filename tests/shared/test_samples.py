"""Samples of characters and of texts."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.samples import END, WIDTH_STEP, Samples, stepped


def texts(*widths: int) -> Samples:
    """A text a width, of as many ink columns, that says 0, 1, 2 … as long as its place."""
    images = [np.full((32, width), 255, np.uint8) for width in widths]
    return Samples.of_texts(images, [list(range(place + 1)) for place in range(len(widths))])


@given(st.lists(st.integers(1, 90), min_size=1, max_size=8))
def test_texts_stand_side_by_side_with_paper_on_their_right(widths: list[int]) -> None:
    samples = texts(*widths)
    assert samples.images.shape[2] % WIDTH_STEP == 0
    assert (samples.images.any(axis=1).sum(axis=1) == widths).all()
    assert samples.written() == [list(range(place + 1)) for place in range(len(widths))]


@given(st.lists(st.integers(1, 90), min_size=2, max_size=8), st.data())
def test_a_part_keeps_each_text_and_drops_columns_that_only_others_need(widths: list[int], data: st.DataObject) -> None:
    samples = texts(*widths)
    rows = np.array(data.draw(st.lists(st.integers(0, len(widths) - 1), min_size=1, unique=True)))
    part = samples.take(rows)
    assert part.written() == [samples.written()[row] for row in rows]
    assert part.widths is not None
    assert part.widths.tolist() == [widths[row] for row in rows]
    assert 0 <= part.images.shape[2] - part.widths.max() < WIDTH_STEP
    assert (part.labels != END).any(axis=0).all()


@given(st.lists(st.integers(1, 90), min_size=1, max_size=20), st.integers(1, 7))
def test_parts_hold_each_sample_once_and_texts_of_like_width(widths: list[int], size: int) -> None:
    samples = texts(*widths)
    parts = list(samples.batches(size))
    assert sorted(np.concatenate([rows for rows, _ in parts]).tolist()) == list(range(len(widths)))
    assert all(len(part) <= size for _, part in parts)
    ends = [(part.widths.min(), part.widths.max()) for _, part in parts if part.widths is not None]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=40), st.integers(1, 7))
def test_a_part_takes_as_many_texts_as_have_room(widths: list[int], size: int) -> None:
    samples, most = texts(*widths), size * 128
    parts = [np.array(widths, np.int32)[rows] for rows, _ in samples.batches(size)]
    assert all(len(part) == 1 or len(part) * stepped(part).max() <= most for part in parts)
    for part, following in itertools.pairwise(parts):
        assert len(part) == size or (len(part) + 1) * stepped(following).min() > most


def test_characters_are_parted_in_their_order() -> None:
    samples = Samples(np.zeros((5, 28, 28), np.uint8), np.arange(5, dtype=np.int32))
    assert [part.labels.tolist() for _, part in samples.batches(2)] == [[0, 1], [2, 3], [4]]
    assert samples.written() == [[0], [1], [2], [3], [4]]
    assert not samples.are_texts


def test_without_planes_a_picture_is_its_ink() -> None:
    ink = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    samples = Samples(ink, np.arange(3, dtype=np.int32))
    assert samples.channels == 1
    np.testing.assert_array_equal(samples.pictures, ink[..., None])
    assert texts(8, 16).pictures.shape == (2, 32, WIDTH_STEP, 1)


@given(st.lists(st.integers(0, 8), max_size=12), st.integers(1, 5))
def test_planes_go_with_their_ink(rows: list[int], size: int) -> None:
    rng = np.random.default_rng(0)
    ink, planes = rng.integers(0, 256, (9, 28, 28), np.uint8), rng.integers(0, 256, (9, 28, 28, 3), np.uint8)
    samples = Samples(ink, np.arange(9, dtype=np.int32), planes=planes)
    assert samples.channels == 4
    np.testing.assert_array_equal(samples.pictures[..., 0], ink)
    np.testing.assert_array_equal(samples.pictures[..., 1:], planes)
    part = samples.take(np.array(rows, np.int64))
    np.testing.assert_array_equal(part.pictures, samples.pictures[rows])
    for found, each in samples.batches(size):
        np.testing.assert_array_equal(each.pictures, samples.pictures[found])


def test_no_samples_have_no_parts() -> None:
    assert list(texts(8).take(np.arange(0)).batches(4)) == []
