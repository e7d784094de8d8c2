"""What the page of a report must say, and must not do."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from handfed.server.runs.schemas import Rejection
from handfed.shared.metrics import worst_confusions
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Transcripts
from handfed.simulations.decoders import Decoders, Figures
from handfed.simulations.faults import Faults
from handfed.simulations.readings import Readings
from handfed.simulations.report import Report, gallery, render
from handfed.simulations.report.contents import Misbehaviour, Robustness
from handfed.simulations.report.findings import Pairs
from handfed.simulations.robustness import AS_WRITTEN, DEFORMATIONS

MakeReport = Callable[..., Report]
VOID = {"meta", "link", "img", "br", "hr", "input"}
HOSTILE = "<script>alert(\"1\")</script> & '$x_1$'"
DECODERS = Decoders(
    (
        Figures("greedy", 0.24, 0.624, 0.27, 0.38, 0.07, 0.234),
        Figures("beam, lexicon", 0.19, 0.4, None, 0.6, 0.13, 1.018),
    ),
    texts=1_000,
    held_out=1_911,
    words=1_234,
    known_words=0.8346,
)
SIXTY_TWO = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, tag: str, **attributes: str) -> list[Element]:
        return [
            element
            for element in self.walk()
            if element.tag == tag
            and all(value in element.attributes.get(name.rstrip("_"), "").split() for name, value in attributes.items())
        ]

    @property
    def text(self) -> str:
        """All text within, in order, with single spaces."""
        return " ".join("".join(self.texts).split())


class Tree(HTMLParser):
    """Builds the tree of a page; an end tag that does not close the innermost element is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.texts.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is never closed"


def parse(page: str) -> Element:
    tree = Tree()
    tree.feed(page)
    tree.close()
    return tree.root


def rows_of(page: Element, caption: str) -> list[list[str]]:
    """The body of the table with this caption."""
    tables = [table for table in page.all("table") if table.all("caption")[0].text == caption]
    assert len(tables) == 1, f"{len(tables)} tables are called {caption!r}"
    return [[cell.text for cell in row.all("td")] for row in tables[0].all("tbody")[0].all("tr")]


def targets_of(page: Element) -> list[Element]:
    return page.all("div", class_="target")


def misreading(report: Report, count: int) -> Readings:
    """The report's readings, of which INT8 misreads exactly so many images."""
    labels = report.held_out.labels
    read = labels.copy()
    read[:count] = (labels[:count] + 1) % len(report.dataset.alphabet)
    return replace(report.readings, int8=Transcripts.of_characters(labels, read))


EXTREMES: dict[str, dict[str, Any]] = {
    "as usual": {},
    "no rounds": {"rounds": 0, "qat": 0},
    "one round": {"rounds": 1, "qat": 0},
    "only quantization-aware rounds": {"rounds": 3, "qat": 3},
    "300 rounds": {"rounds": 300, "qat": 20},
    "no held-out image": {"images": 0},
    "one held-out image": {"images": 1},
    "no error": {"error": 0.0},
    "all errors": {"error": 1.0},
    "one device": {"devices": 1},
    "two devices": {"devices": 2},
    "1,000 devices": {"devices": 1000, "images": 3000, "rounds": 2, "qat": 1},
    "a style for each device": {"devices": 30, "styles": [f"strokes {number} px wider" for number in range(30)]},
    "62 classes": {"names": SIXTY_TWO, "devices": 30},
    "200 classes of long names": {"names": [f"letter {number} of the script" for number in range(200)]},
    "no training sample": {"label_counts": np.zeros((5, 10), np.int64)},
    "nothing measured": dict.fromkeys(
        [
            "release",
            "accuracy_float",
            "accuracy_int8",
            "accuracy_calibrated",
            "size_bytes",
            "latency_ms",
            "wall_s",
            "peak_memory_bytes",
            "weights_sha256",
        ]
    ),
    "refused": {"release": None, "refused": "INT8 is worse than float"},
    "faults on purpose": {"misbehaviour": Misbehaviour(Faults(nan=0.2, dropouts=0.1), {0: "nan"}, inspected=True)},
    "faults that nobody sees": {"misbehaviour": Misbehaviour(Faults(nan=0.2), {0: "nan"}, inspected=False)},
    "faults before any round": {
        "rounds": 0,
        "qat": 0,
        "misbehaviour": Misbehaviour(Faults(stale=0.2), {4: "stale"}, inspected=True),
    },
    "texts": {"texts": True, "error": 0.1},
    "texts without an error": {"texts": True, "error": 0.0},
    "texts with several decoders": {"texts": True, "error": 0.1, "decoders": DECODERS},
    "one text, read as nothing": {"texts": True, "images": 1, "error": 0.5},
    "deformed images": {
        "robustness": Robustness(
            400,
            dict(zip((AS_WRITTEN, *DEFORMATIONS), np.linspace(1, 0, 13).tolist(), strict=True)),
            list(np.zeros((13, 28, 28), np.uint8)),
        )
    },
}


@pytest.fixture(scope="module", params=EXTREMES)
def page(request: pytest.FixtureRequest, make_report: MakeReport) -> str:
    return render(make_report(**EXTREMES[request.param]))


@pytest.fixture(scope="module")
def tree(page: str) -> Element:
    return parse(page)


@pytest.fixture(scope="module")
def usual_page(make_report: MakeReport) -> str:
    """The page of the report that is made when nothing is asked for."""
    return render(make_report())


@pytest.fixture(scope="module")
def usual(usual_page: str) -> Element:
    return parse(usual_page)


def test_every_element_is_closed_and_every_id_is_unique_and_found(tree: Element) -> None:
    elements = list(tree.walk())
    ids = Counter(element.attributes["id"] for element in elements if "id" in element.attributes)
    assert not [name for name, count in ids.items() if count > 1]
    for element in elements:
        referred = element.attributes.get("aria-labelledby", "").split()
        referred += re.findall(r"#([^)\s\"]+)", element.attributes.get("href", ""))
        referred += re.findall(r"url\(#([^)]+)\)", " ".join(element.attributes.values()))
        assert set(referred) <= set(ids)


def test_nothing_is_loaded_from_anywhere(page: str, tree: Element) -> None:
    for element in tree.walk():
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            assert element.attributes.get(name, "#").startswith(("#", "data:"))
    assert not [tag for tag in ("script", "iframe", "object", "embed", "form", "base") if tree.all(tag)]
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "://" not in page
    policy = next(meta for meta in tree.all("meta") if "http-equiv" in meta.attributes)
    assert policy.attributes["content"].startswith("default-src 'none';")


def test_every_picture_is_also_told_in_words(tree: Element) -> None:
    assert all(image.attributes["alt"] for image in tree.all("img"))
    for figure in tree.all("figure"):
        assert figure.all("figcaption")[0].text
        (picture,) = figure.all("svg", role="img")
        assert [bool(picture.all(tag)[0].text) for tag in ("title", "desc")] == [True, True]
        named = picture.attributes["aria-labelledby"].split()
        assert named == [picture.all(tag)[0].attributes["id"] for tag in ("title", "desc")]


def test_pictures_take_every_colour_from_the_page(tree: Element) -> None:
    for picture in tree.all("svg", role="img"):
        for element in picture.walk():
            style = element.attributes.get("style", "")
            assert not re.search(r"#[0-9a-fA-F]{3,8}|rgb", style)
            if element.tag == "text":
                assert "fill: var(--" in style


def test_no_picture_holds_a_figure_that_is_none(tree: Element) -> None:
    for picture in tree.all("svg", role="img"):
        for element in picture.walk():
            assert not re.search(r"\b(nan|inf)\b", " ".join(element.attributes.values()))
    assert not re.search(r"\bnan\b|\bNone\b(?!:)|@\d+@", tree.all("body")[0].text)


def test_targets_that_are_reached_have_a_tick(usual: Element) -> None:
    targets = targets_of(usual)
    assert [target.attributes["class"].split()[-1] for target in targets] == ["met"] * 3
    assert [value in target.text for value, target in zip(("99.21%", "1.27 ms", "0.2 MB"), targets, strict=True)]
    for target, aim in zip(targets, ("at least 99%: met", "at most 50 ms: met", "at most 2 MB: met"), strict=True):
        assert "✓" in target.text
        assert aim in target.text


def test_targets_that_are_missed_have_a_cross_and_stay(make_report: MakeReport) -> None:
    report = make_report(accuracy_int8=0.9712, latency_ms=61.5, size_bytes=2_000_001)
    targets = targets_of(parse(render(report)))
    for target, value in zip(targets, ("97.12%", "61.50 ms", "2,000,001 bytes"), strict=True):
        assert target.attributes["class"].split()[-1] == "missed"
        assert all(text in target.text for text in (value, "✗", ": missed"))


def test_a_refused_model_is_announced(make_report: MakeReport) -> None:
    tree = parse(render(make_report(release=None, refused="INT8 is worse than float")))
    assert tree.all("p", role="alert")[0].text == "Nothing was published. INT8 is worse than float"
    assert "No release" in tree.all("header")[0].text
    assert "the converted file reads 99.21% right" in tree.all("header")[0].text


def test_without_a_refusal_there_is_no_alarm(usual: Element) -> None:
    assert not usual.all("p", role="alert")
    header = usual.all("header")[0].text
    assert "Release 3 · held out by writer · 2025-03-01" in header
    assert "5 devices trained one recogniser in 8 rounds" in header
    assert "Of 400 images that nobody trained on, the published file reads 99.21% right." in header


def test_whatever_a_run_brings_is_shown_as_it_is(make_report: MakeReport) -> None:
    report = make_report(
        names=[f"{HOSTILE}{number}" for number in range(4)], images=40, error=0.9, title=HOSTILE, command=HOSTILE
    )
    report = replace(
        report,
        refused=HOSTILE,
        partition_scheme=HOSTILE,
        settings={HOSTILE: HOSTILE},
        dataset=replace(report.dataset, name=HOSTILE, source=HOSTILE, licence=HOSTILE),
        rounds=[replace(report.rounds[0], rejections=(Rejection(3, HOSTILE, HOSTILE),))],
    )
    tree = parse(render(report))
    assert not tree.all("script")
    assert tree.all("h1")[0].text == HOSTILE
    assert tree.all("title")[0].text == HOSTILE
    assert tree.all("code")[0].text == HOSTILE
    assert rows_of(tree, "Every rejected update") == [["1", "3", HOSTILE, HOSTILE]]
    assert rows_of(tree, "All 1 settings") == [[HOSTILE.replace("_", "-"), HOSTILE]]
    assert rows_of(tree, "The most frequent errors")[0][0].startswith(HOSTILE)


@pytest.mark.parametrize("names", ["あいう", "अआइ", "ابت", "\U0001f600\U00020000\u0e01", "$_^", "<&>"])
def test_classes_of_any_script_are_named_in_the_pictures(make_report: MakeReport, names: str) -> None:
    tree = parse(render(make_report(names=names, error=0.5)))
    confusion, labels = (
        next(svg for svg in tree.all("svg", role="img") if svg.attributes["aria-labelledby"].startswith(name))
        for name in ("confusion", "labels")
    )
    for name in names:
        assert [text.text for text in confusion.all("text")].count(name) == 2  # of a row and of a column
        assert [text.text for text in labels.all("text")].count(name) == 1


def test_what_no_encoding_holds_does_not_spoil_the_page(make_report: MakeReport) -> None:
    page = render(make_report(command="handfed simulate caf\udce9\x00\x1b[31m"))
    page.encode("utf-8")
    assert parse(page).all("code")[0].text == "handfed simulate caf\ufffd\ufffd\ufffd[31m"


def test_rounds_whose_figures_are_unknown_leave_a_gap(make_report: MakeReport) -> None:
    report = make_report()
    unknown = replace(report.rounds[3], loss=None, accuracy=None, devices=())
    broken = replace(report.rounds[4], loss=float("nan"), accuracy=float("inf"), seconds=float("nan"))
    rounds = [*report.rounds[:3], unknown, broken, *report.rounds[5:]]
    rows = rows_of(parse(render(replace(report, rounds=rounds))), "Every round")
    assert [row[3:5] for row in rows[3:5]] == [["-", "-"], ["-", "-"]]
    assert rows[4][5] == "- s"
    nowhere = [replace(each, loss=None, accuracy=None, devices=()) for each in report.rounds]
    assert "Accuracy by round" in render(replace(report, rounds=nowhere))


def test_the_phases_are_told_apart(usual: Element) -> None:
    keys = [item.text for item in usual.all("li")]
    assert "float rounds" in keys
    assert "quantization-aware rounds" in keys
    assert [row[1] for row in rows_of(usual, "Every round")] == [
        *["float"] * 6,
        *["qat"] * 2,
    ]


def test_a_phase_that_did_not_happen_is_not_in_the_legend(make_report: MakeReport) -> None:
    keys = [item.text for item in parse(render(make_report(rounds=8, qat=0))).all("li")]
    assert "float rounds" in keys
    assert "quantization-aware rounds" not in keys


def test_the_conversion_is_marked_where_there_was_one(usual: Element, make_report: MakeReport) -> None:
    assert "converted to INT8" in usual.text
    assert {"final float model 99.34%", "final INT8 99.21%", "INT8 by calibration alone 98.15%"} <= {
        item.text for item in usual.all("li")
    }
    assert "converted to INT8" not in render(make_report(accuracy_int8=None, accuracy_calibrated=None))


def test_the_paired_difference_comes_with_its_interval(usual: Element, make_report: MakeReport) -> None:
    report = make_report()
    found = Pairs.of(report.readings).difference
    assert found is not None
    shown = [
        f"{figure * 100:+.2f}".replace("-", "\N{MINUS SIGN}") for figure in (found.difference, found.low, found.high)
    ]
    assert f"INT8 less float: {shown[0]} percentage points, 95% interval {shown[1]} to {shown[2]}" in usual.text


def test_devices_without_held_out_images_are_counted_not_shown(usual: Element) -> None:
    assert "1 device has no held-out image and is left out." in usual.text
    rows = rows_of(usual, "Every device")
    assert sorted(row[0] for row in rows) == ["1", "2", "3", "4"]
    accuracies = [1 - int(errors) / int(characters) for _, _, characters, errors, _ in rows]
    assert all(worse <= better for worse, better in pairwise(accuracies))


def test_writers_are_compared_but_not_named(usual: Element, make_report: MakeReport) -> None:
    report = make_report()
    assert rows_of(usual, "Devices and writers, in figures")[0] == ["How many", "4", "4"]
    picture = next(svg for svg in usual.all("svg") if "writers-title" in svg.attributes.get("aria-labelledby", ""))
    assert {text.text for text in picture.all("text")} & {"3", "6", "9"} == set()
    unknown = parse(render(replace(report, readings=replace(report.readings, writer=None))))
    assert "Who wrote which image is not known" in unknown.text


def test_the_most_frequent_errors_are_listed(make_report: MakeReport) -> None:
    report = make_report(error=0.3)
    expected = worst_confusions(report.readings.int8.confusions(10), 10)
    rows = rows_of(parse(render(report)), "The most frequent errors")
    assert [tuple(row[:3]) for row in rows] == [(str(a), str(b), str(count)) for a, b, count in expected]


@pytest.mark.parametrize(("errors", "shown"), [(0, 0), (1, 1), (24, 24), (25, 24), (300, 24)])
def test_at_most_24_misread_images_are_shown(make_report: MakeReport, errors: int, shown: int) -> None:
    report = make_report()
    found = gallery.misread(replace(report, readings=misreading(report, errors)))
    assert (found is None) == (errors == 0)
    assert (0 if found is None else len(found.tiles)) == shown
    assert (found is not None and f"24 of {errors}, evenly picked" in found.words) == (errors > 24)


def test_a_misread_image_is_the_one_that_was_misread(make_report: MakeReport) -> None:
    report = make_report()
    report = replace(report, readings=misreading(report, 1))
    label = int(report.held_out.labels[0])
    (image,) = parse(render(report)).all("img")
    assert image.attributes["alt"] == f"Handwritten {label}, read as {(label + 1) % 10}"
    content = base64.b64decode(image.attributes["src"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as png:
        assert np.array_equal(np.asarray(png.getchannel("A")), report.held_out.images[0])


def test_rejected_updates_are_listed_with_their_reasons(make_report: MakeReport, rejection: Rejection) -> None:
    report = make_report()
    rounds = list(report.rounds)
    rounds[1] = replace(rounds[1], rejections=(rejection, Rejection(2**64 - 1, "norm", "12 times the median")))
    rounds[4] = replace(rounds[4], rejections=(rejection,))
    tree = parse(render(replace(report, rounds=rounds)))
    assert rows_of(tree, "Rejected updates by reason") == [
        ["not-finite", "holds what is no number", "2"],
        ["norm", "-", "1"],
    ]
    assert rows_of(tree, "Every rejected update")[:2] == [
        ["2", "3", "not-finite", "array 4 holds NaN"],
        ["2", "18446744073709551615", "norm", "12 times the median"],
    ]


def test_without_rejected_updates_it_says_none(usual: Element) -> None:
    assert "None: every update that devices returned was used." in usual.text
    assert not usual.all("title", id="rejections-title")


def test_what_was_caught_stands_beside_what_goes_wrong_on_purpose(
    make_report: MakeReport, rejection: Rejection
) -> None:
    report = make_report(misbehaviour=Misbehaviour(Faults(nan=0.2), {2: "nan"}, inspected=True))
    caught = [
        replace(each, devices=tuple(one for one in each.devices if one.device != 3), rejections=(rejection,))
        for each in report.rounds
    ]
    tree = parse(render(replace(report, rounds=caught)))
    assert "On purpose, 1 of 5 devices lies in every round: 1 by sending what is not finite." in tree.text
    assert "Of 8 updates of devices that lie, 8 were left out. All 32 updates of honest devices were used." in tree.text
    assert rows_of(tree, "What became of updates") == [
        ["1 not finite", "0", "8", "not-finite"],
        ["4 honest", "32", "0", "-"],
    ]
    assert "In all rounds: 8 of devices that lie." in tree.text


@pytest.fixture(scope="module")
def texts(make_report: MakeReport) -> Report:
    return make_report(texts=True, error=0.08, accuracy_int8=0.9012)


@pytest.fixture(scope="module")
def of_texts(texts: Report) -> Element:
    return parse(render(texts))


def test_of_texts_the_headline_counts_characters_words_and_texts(texts: Report, of_texts: Element) -> None:
    found = texts.readings.int8
    figures = {each.all("dt")[0].text: each.all("dd")[0].text for each in of_texts.all("dl")[0].all("div")}
    assert figures["Character error rate (CER)"] == f"{found.cer:.2%}"
    assert figures["Word error rate (WER)"] == f"{found.wer(texts.dataset.alphabet):.2%}"
    assert figures["Texts without an error"] == f"{found.correct.mean():.2%}"
    assert 0 < found.cer < found.wer(texts.dataset.alphabet) < 1
    lead = of_texts.all("p", class_="lead")[0].text
    assert f"Of {int(found.characters.sum()):,} characters in 400 texts that nobody trained on" in lead
    assert "reads 90.12% right" in lead


def test_of_texts_the_aim_is_another_and_the_chart_shows_it(texts: Report, of_texts: Element, usual: Element) -> None:
    accuracy = targets_of(of_texts)[0]
    assert accuracy.attributes["class"].split()[-1] == "met"
    assert "Target at least 85%: met" in accuracy.text
    assert "on 400 held-out texts" in accuracy.text
    assert "95% interval" not in accuracy.text  # characters of a text are not drawn one by one
    assert texts.aim == 0.85
    assert targets_of(of_texts)[1].text.startswith("Time to read one text")
    assert targets_of(usual)[1].text.startswith("Time to read one image")


def test_of_texts_what_was_not_read_was_read_as_nothing(texts: Report, of_texts: Element) -> None:
    rows = rows_of(of_texts, "The most frequent errors")
    matrix = texts.readings.int8.confusions(27)
    names = [*texts.dataset.alphabet.names[:-1], "space", "nothing"]
    expected = [(names[one], names[other], str(count)) for one, other, count in worst_confusions(matrix, 10)]
    assert [tuple(row[:3]) for row in rows] == expected
    assert {"nothing"} < {row[1] for row in rows}
    assert {row[3] for row in rows if row[0] == "nothing"} == {"-"}
    classes = rows_of(of_texts, "Accuracy of each class")
    assert sorted(row[0] for row in classes) == sorted(names[:-1])
    assert sum(int(row[1]) for row in classes) == texts.readings.int8.characters.sum()


def test_of_texts_single_texts_are_compared(texts: Report, of_texts: Element) -> None:
    rows = rows_of(of_texts, "Text by text")
    assert sum(int(row[1]) for row in rows) == 400
    assert rows[0][1] == str(int((texts.readings.int8.correct & texts.readings.floating.correct).sum()))


def test_misread_texts_are_strips_with_what_they_say(texts: Report, of_texts: Element) -> None:
    (shown,) = of_texts.all("ul", class_="strips")
    assert len(shown.all("img")) == gallery.MOST
    nothing = texts.dataset.alphabet.text_of(texts.readings.int8.written[0])
    one = make_misread(texts, 0)
    (image,) = parse(render(one)).all("img")
    assert image.attributes["alt"] == f"Handwritten {nothing}, read as nothing"
    assert "width" not in image.attributes
    content = base64.b64decode(image.attributes["src"].removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as png:
        assert texts.held_out.widths is not None
        assert png.size == (texts.held_out.widths[0], 32)


def make_misread(report: Report, row: int) -> Report:
    """The report, of which INT8 misreads one text alone, as it did."""
    found = report.readings.int8
    read = [found.read[each] if each == row else text for each, text in enumerate(found.written)]
    return replace(report, readings=replace(report.readings, int8=Transcripts(found.written, read)))


def test_lines_have_a_row_each(texts: Report) -> None:
    wide = Samples.of_texts([np.full((32, 700), 255, np.uint8)] * 400, [[0]] * 400)
    found = gallery.misread(replace(texts, held_out=wide))
    assert found is not None
    assert found.form == "lines"


def test_of_texts_decoders_are_compared(texts: Report) -> None:
    page = parse(render(replace(texts, decoders=DECODERS)))
    assert rows_of(page, "Decoders, in figures") == [
        ["greedy", "24.00%", "27.00%", "62.40%", "38.00%", "7.00%", "0.23 ms"],
        ["beam, lexicon", "19.00%", "-", "40.00%", "60.00%", "13.00%", "1.02 ms"],
    ]
    assert DECODERS.note() in page.text
    assert "never of held-out ones" in DECODERS.note()
    assert "the training texts contain 83.5% too" in DECODERS.note()


def test_of_characters_there_is_one_way_to_read_them(usual: Element) -> None:
    assert "Decoders" not in [heading.text for heading in usual.all("h2")]


def test_texts_are_not_deformed(of_texts: Element) -> None:
    assert [heading.text for heading in of_texts.all("h2")].count("Robustness") == 0
    assert "Errors" in [heading.text for heading in of_texts.all("h2")]


def test_confidences_stand_beside_what_came_true(make_report: MakeReport, usual: Element) -> None:
    error = make_report().readings.reliability.expected_calibration_error()
    assert f"Expected calibration error (Guo et al. 2017): {error:.2%}, over 15 bins." in usual.text
    figures = {each.all("dt")[0].text: each.all("dd")[0].text for each in usual.all("dl")[0].all("div")}
    assert figures["Calibration error of confidences"] == f"{error:.2%}"


def test_traffic_and_time_are_summed(usual: Element) -> None:
    rows = rows_of(usual, "Traffic and time, in figures")
    assert [row[:2] for row in rows[:3]] == [
        ["Down to devices", "12.0 MB"],
        ["Up from devices", "12.4 MB"],
        ["Both ways", "24.4 MB"],
    ]


def test_training_at_the_same_time_is_no_negative_rest(make_report: MakeReport) -> None:
    report = make_report()
    rounds = [replace(each, train_seconds=each.seconds * 4) for each in report.rounds]
    assert "trained at the same time" in parse(render(replace(report, rounds=rounds))).text


@pytest.mark.parametrize(("split_by", "said"), [("image", "may have written"), ("writer", "handwriting of strangers")])
def test_the_split_is_said_plainly(make_report: MakeReport, split_by: str, said: str) -> None:
    text = parse(render(make_report(split_by=split_by))).text
    assert f"Held out by {split_by}:" in text
    assert said in text


def test_it_says_how_to_run_it_again(usual: Element) -> None:
    facts = {entry.all("dt")[0].text: entry.all("dd")[0].text for entry in usual.all("dl")[-1].all("div")}
    assert facts["Command"] == "handfed simulate --devices 5 --seed 11"
    assert facts["Seed"] == "11"
    assert facts["Weights, SHA-256"] == "9f" * 32
    assert facts["Licence"] == "CC0"


def test_every_setting_is_listed(usual: Element, make_report: MakeReport) -> None:
    report = make_report()
    rows = rows_of(usual, f"All {len(report.settings)} settings")
    assert [row[0] for row in rows] == [name.replace("_", "-") for name in report.settings]


def test_the_page_says_that_it_shows_handwriting(usual: Element) -> None:
    assert (
        usual.all("footer")[0].text
        == "This page shows handwriting; do not pass it on where the handwriting may not go."
    )


def test_a_page_for_twenty_devices_is_small(make_report: MakeReport) -> None:
    page = render(make_report(devices=20, names=SIXTY_TWO, rounds=40, images=2000, error=0.2))
    assert len(page.encode("utf-8")) < 1_500_000


def test_a_page_for_a_thousand_devices_is_small(make_report: MakeReport) -> None:
    page = render(make_report(devices=1000, names=SIXTY_TWO, rounds=3, images=9000, error=0.2))
    assert len(page.encode("utf-8")) < 1_500_000


def test_the_same_run_gives_the_same_page(make_report: MakeReport, usual_page: str) -> None:
    assert render(make_report()) == usual_page


def test_the_users_own_matplotlib_settings_neither_matter_nor_change(make_report: MakeReport, usual_page: str) -> None:
    with mpl.rc_context({"svg.fonttype": "path", "font.size": 30, "axes.grid": True, "lines.marker": "x"}):
        before = dict(mpl.rcParams)
        assert render(make_report()) == usual_page
        assert dict(mpl.rcParams) == before


def test_no_window_system_is_touched() -> None:
    script = "import sys, handfed.simulations.report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
