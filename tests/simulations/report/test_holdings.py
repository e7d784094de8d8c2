"""What a report says and shows of who holds what."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from handfed.simulations.report import Report, drawing, findings, gallery, tables
from handfed.simulations.report.charts import Chart, holdings

MakeReport = Callable[..., Report]
DIGITS = tuple("0123456789")
SIXTY_TWO = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def of_one_class_each(devices: int, classes: int = 10) -> NDArray[np.int64]:
    """Device d holds d + 1 samples of class d modulo classes."""
    counts = np.zeros((devices, classes), np.int64)
    counts[np.arange(devices), np.arange(devices) % classes] = np.arange(devices) + 1
    return counts


def drawn(counts: NDArray[np.int64], names: tuple[str, ...] = DIGITS) -> Chart:
    with drawing.style():
        return holdings.labels(counts, names)


def corners(svg: str, colour: str) -> list[NDArray[np.float64]]:
    """The boxes of a colour, each as its corners (4, 2), in units of the picture."""
    found = []
    for path in re.findall(rf'<path d="([^"]*)"[^>]*style="[^"]*fill: var\(--{colour}\)[^"]*"', svg):
        found += [np.array(re.findall(r"-?[\d.]+", box), float).reshape(-1, 2)[:4] for box in path.split("z")[:-1]]
    return found


@pytest.mark.parametrize("devices", [1, 3, 25])
def test_few_devices_are_rows_that_can_be_looked_up(devices: int) -> None:
    chart = drawn(of_one_class_each(devices))
    assert not chart.wide
    texts = re.findall(r">([^<>]+)</text>", chart.svg)
    assert {str(number + 1) for number in range(devices)} <= set(texts)
    assert len(corners(chart.svg, "first")) == devices


@pytest.mark.parametrize("devices", [26, 60, 100, 500])
def test_many_devices_are_columns_beside_their_like(devices: int) -> None:
    chart = drawn(of_one_class_each(devices))
    assert chart.wide
    boxes = corners(chart.svg, "first")
    # Device d's class is d modulo 10, yet each class is in one stretch, one below and right of the other.
    by_row: dict[float, list[float]] = {}
    for box in boxes:
        by_row.setdefault(float(box[:, 1].min()), []).extend(box[:, 0].tolist())
    assert len(by_row) == 10
    ends = [(min(across), max(across)) for _, across in sorted(by_row.items())]
    assert all(one[1] <= other[0] + 0.1 for one, other in pairwise(ends))
    assert len(boxes) == (devices if devices <= 60 else 10)  # neighbours of one shade are one box
    assert "evenly picked" not in chart.caption


def test_a_shade_means_the_same_share_in_every_report() -> None:
    def opacities(counts: NDArray[np.int64]) -> set[float]:
        return {float(found) for found in re.findall(r"var\(--first\); opacity: ([\d.]+)", drawn(counts).svg)}

    even, half = np.full((30, 10), 7), np.zeros((30, 10), np.int64)
    half[:, :2] = 5
    tenth = opacities(even)
    assert len(tenth) == 1
    assert max(tenth) < min(opacities(half)) < 1
    mixed = np.concatenate([even, half])
    assert opacities(mixed) == tenth | opacities(half)


def test_devices_that_train_on_nothing_are_counted_not_drawn() -> None:
    counts = of_one_class_each(100)
    counts[::2] = 0
    chart = drawn(counts)
    assert "50 devices train on nothing and are left out." in chart.caption
    assert "50 devices, in the order" in chart.svg
    counts[1:] = of_one_class_each(99)
    counts[0] = 0
    assert "1 device trains on nothing and is left out." in drawn(counts).caption


def test_of_very_many_devices_an_even_pick_is_shown() -> None:
    chart = drawn(of_one_class_each(1_000))
    assert "640 of 1,000 devices, evenly picked." in chart.caption
    many = drawn(of_one_class_each(500, 62), tuple(SIXTY_TWO))
    assert "193 of 500 devices, evenly picked." in many.caption
    assert len(many.svg) < 200_000


def test_of_very_many_classes_the_most_frequent_are_shown() -> None:
    names = tuple(f"letter {number}" for number in range(200))
    for devices in (5, 50):
        chart = drawn(np.ones((devices, 200), np.int64), names)
        assert "The 64 most frequent of 200 classes." in chart.caption


def test_the_picture_says_in_words_how_many_classes_a_device_holds() -> None:
    chart = drawn(of_one_class_each(40))
    assert "holds 1 to 1 of 10 classes, median 1" in chart.svg
    assert "one class has on a device is 100%." in chart.svg


@pytest.mark.parametrize("shape", [(1, 1), (1, 10), (25, 1), (26, 1), (61, 10)])
@pytest.mark.parametrize("value", [0, 1, 10**9])
def test_any_counts_can_be_drawn(shape: tuple[int, int], value: int) -> None:
    counts = np.full(shape, value, np.int64)
    chart = drawn(counts, DIGITS[: shape[1]])
    with drawing.style():
        pictures = (chart.svg, holdings.sizes(counts, counts[:, 0]).svg)
    assert not any(re.search(r"\b(nan|inf)\b", picture) for picture in pictures)
    assert ("No device has a training sample." in chart.svg) == (value == 0)


@settings(max_examples=20)
@given(arrays.arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(61, 90)), elements=st.integers(0, 3)))
def test_boxes_of_one_shade_cover_what_single_cells_would(levels: NDArray[np.int64]) -> None:
    strength = levels / 3
    with drawing.style():
        figure = drawing.figure(100)
        axes = drawing.axes(figure)
        holdings._bands(axes, strength)
        area = {}
        for patch in axes.patches:
            boxes = np.asarray(patch.get_path().vertices).reshape(-1, 5, 2)
            area[round(float(patch.get_alpha() or 0), 6)] = float(np.ptp(boxes, axis=1).prod(axis=1).sum())
    for level in (1, 2, 3):
        opacity = round(0.12 + 0.88 * (np.ceil(level / 3 * 10) - 1) / 9, 6)
        assert area.get(opacity, 0.0) == pytest.approx(np.count_nonzero(levels == level) * 0.92)


def test_sizes_come_with_how_uneven_they_are() -> None:
    counts = np.zeros((539, 10), np.int64)
    counts[:400] = 10
    with drawing.style():
        chart = holdings.sizes(counts, np.where(counts.sum(axis=1) > 0, 0, 90))
    assert chart.caption == "Half of all training samples are on 200 of 539 devices. 139 train on nothing."
    assert "A device trains on 0 to 100 samples, median 100, and evaluates on 0 to 90." in chart.svg


@given(arrays.arrays(np.int64, st.integers(1, 50), elements=st.integers(0, 100)))
def test_half_of_all_is_held_by_so_many_and_no_fewer(samples: NDArray[np.int64]) -> None:
    count = findings.half_of_all(samples)
    largest = np.sort(samples)[::-1]
    assert largest[:count].sum() * 2 >= samples.sum()
    assert count == 0 or largest[: count - 1].sum() * 2 < samples.sum()


def test_the_table_lists_what_every_device_holds(make_report: MakeReport) -> None:
    counts = of_one_class_each(3)
    counts[0] = 0
    table = tables.every_holding(make_report(devices=3, label_counts=counts))
    assert table.columns[-1] == "Its share"
    assert [row[0] for row in table.rows] == ["1", "2", "3"]
    assert table.rows[0][1] == "0"
    assert table.rows[0][4:] == ("-", "-")
    assert (table.rows[2][1], table.rows[2][3], table.rows[2][5]) == ("3", "1", "100.00%")
    assert "2" in str(table.rows[2][4])


def test_the_table_of_very_many_devices_says_how_many_it_lists(make_report: MakeReport) -> None:
    table = tables.every_holding(make_report(devices=539, rounds=1, qat=0))
    assert len(table.rows) == 200
    assert table.note == "The first 200 of 539 devices."


def test_where_looks_differ_an_image_of_each_device_is_shown_with_its_style(make_report: MakeReport) -> None:
    report = make_report(devices=5, images=400)
    assert gallery.of_devices(report) is None
    styled = replace(report, styles=[f"style {device}" for device in range(5)])
    shown = gallery.of_devices(styled)
    assert shown is not None
    found = [re.fullmatch(r"Handwritten (.) on device (\d+): (style \d)", tile.seen) for tile in shown.tiles]
    assert [each and each.group(2, 3) for each in found] == [(str(place + 1), f"style {place}") for place in range(4)]
    assert len({each and each[1] for each in found}) == 1  # so that only looks differ
    assert tables.every_holding(styled).columns[-1] == "Style"
    assert [row[-1] for row in tables.every_holding(styled).rows] == list(styled.styles)


def test_of_many_devices_an_even_pick_is_shown_with_its_style(make_report: MakeReport) -> None:
    report = make_report(devices=100, images=3_000, styles=[f"style {device}" for device in range(100)])
    shown = gallery.of_devices(report)
    assert shown is not None
    assert len(shown.tiles) == gallery.MOST
    assert [shown.tiles[place].seen.rpartition(" on ")[2] for place in (0, -1)] == [
        "device 1: style 0",
        "device 99: style 98",
    ]
    assert shown.words.startswith("Held-out images of 24 of 100 devices")


def test_without_held_out_images_no_style_is_shown(make_report: MakeReport) -> None:
    assert gallery.of_devices(make_report(images=0, styles=["one"] * 5)) is None
