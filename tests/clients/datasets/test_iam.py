"""The IAM database as it is published: words and lines with their writers, and what is in doubt left out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.clients.datasets import read
from handfed.clients.datasets.iam import parse_table
from handfed.shared import strips
from handfed.shared.alphabet import SPACE
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError
from handfed.shared.tasks import TASKS

WORDS = """\
#--- words.txt ---------------------------------------------------------------#
#
# format: a01-000u-00-00 ok 154 1 408 768 27 51 AT A
#
a01-000u-00-00 ok 154 408 768 27 51 AT A
a01-000u-00-01 ok 154 507 766 213 48 NN MOVE
a01-000u-03-04 err 156 430 1290 177 59 NPTS M Ps
a01-117-05-02 ok 180 -1 -1 -1 -1 PP$ his
b02-010-00-00 ok 154 919 757 166 78 . .
"""
LINES = """\
# iam database line information
a01-000u-00 ok 154 19 408 746 1663 91 A|MOVE|to|stop
b02-010-00 err 154 30 395 932 1850 105 "|life|Peers|"
"""
FORMS = "# a form a line\na01-000u 000 2 prt 7 5 52 36\na01-117 001 3 all 8 8 60 60\nb02-010 001 3 all 8 8 60 60\n"
FORM = (
    '<?xml version="1.0" encoding="iso-8859-1"?>\n<form id="{form}" version="1.6" writer-id="{writer}"><line/></form>'
)


def picture(seed: int) -> bytes:
    pixels = np.full((40, 60 + seed), 236, np.uint8)
    pixels[8:30, 6 : 12 + seed] = 40
    pixels[12:16, 20:50] = 70
    return png(pixels)


def png(pixels: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def iam(root: Path, tables: dict[str, str], damaged: tuple[str, ...] = ("a01-117-05-02",)) -> str:
    """A folder as IAM's archives unpack to, with a picture for every row."""
    for name, text in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
        kind = Path(name).stem
        rows = [line.split(" ")[0] for line in text.splitlines() if kind in TASKS and not line.startswith("#")]
        for seed, row in enumerate(row for row in rows if row):
            form = "-".join(row.split("-")[:2])
            path = root / kind / form[:3] / form / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"" if row in damaged else picture(seed))
    return str(root)


def texts(dataset: Dataset) -> list[str]:
    return ["".join(dataset.alphabet.names[each] for each in row) for row in dataset.samples.written()]


def test_words_are_read_without_those_in_doubt_and_these_are_counted(tmp_path: Path) -> None:
    dataset = read(iam(tmp_path / "iam", {"ascii/words.txt": WORDS, "ascii/forms.txt": FORMS}), "words")
    assert texts(dataset) == ["A", "MOVE", "."]
    assert dataset.source == "Your own copy of IAM; 2 words in doubt are left out"
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [0, 0, 1]
    assert dataset.samples.widths is not None
    with Image.open(io.BytesIO(picture(1))) as image:
        expected = strips.normalise(np.asarray(image), TASKS["words"].height)
    np.testing.assert_array_equal(dataset.images[1, :, : dataset.samples.widths[1]], expected)


def test_lines_are_all_read_with_spaces_between_words(tmp_path: Path) -> None:
    dataset = read(iam(tmp_path / "iam", {"ascii/lines.txt": LINES, "ascii/forms.txt": FORMS}), "lines")
    assert texts(dataset) == ["A MOVE to stop", '" life Peers "']
    assert dataset.alphabet.names[0] == SPACE
    assert dataset.source == "Your own copy of IAM"
    assert dataset.images.shape[1] == TASKS["lines"].height


def test_the_tables_may_lie_beside_the_pictures(tmp_path: Path) -> None:
    dataset = read(iam(tmp_path / "iam", {"words.txt": WORDS, "forms.txt": FORMS}), "words")
    assert dataset.writer_count == 2


def test_writers_may_come_from_the_xml_files(tmp_path: Path) -> None:
    tables = {"ascii/words.txt": WORDS}
    for form, writer in {"a01-000u": "000", "b02-010": "588", "c01-009": "000"}.items():
        tables[f"xml/{form}.xml"] = FORM.format(form=form, writer=writer)
    dataset = read(iam(tmp_path / "iam", tables), "words")
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [0, 0, 1]


def test_writers_are_unknown_where_nothing_says_who_they_are(tmp_path: Path) -> None:
    assert read(iam(tmp_path / "iam", {"ascii/words.txt": WORDS}), "words").writers is None


def test_a_full_stop_that_fills_its_picture_is_still_dark_ink(tmp_path: Path) -> None:
    root = iam(tmp_path / "iam", {"ascii/words.txt": WORDS})
    dot = np.full((7, 9), 30, np.uint8)
    dot[0, 0] = dot[-1, -1] = 240
    (Path(root) / "words/b02/b02-010/b02-010-00-00.png").write_bytes(png(dot))
    image = read(root, "words").images[2]
    assert image[12:20, 12:16].min() == 255  # inside of the dot


def test_a_file_that_is_only_called_like_a_table_is_none(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(picture(0))
    (tmp_path / "words.txt").write_text("some words")
    assert read(str(tmp_path)).alphabet.names == ("a", "b")


ROW = "a01-000u-00-00 ok 154 408 768 27 51 AT A\n"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ROW + "a01-000u-00-01 ok 154 507 766 213 48 NN\n", "line 2: has 8 columns, and IAM's have 9"),
        (ROW + "# a comment\n\na01-000u-00-01\n", "line 4: has 1 columns"),
        (ROW + "a01-000u-00-01 ok 154 507 766 213 48 NN | \n", "line 2: has 9 columns, .* the last of them the text"),
        (ROW + "a01-000u-00-01 good 154 507 766 213 48 NN b\n", "line 2: the second column is ok or err, not 'good'"),
        (ROW + "a01-000u-00-01 ok x 507 766 213 48 NN b\n", "line 2: the third column is a grey level, not 'x'"),
        (ROW + ROW, "line 2: 'a01-000u-00-00' is on line 1 already"),
        ("# nothing\n", "holds no words that are segmented without error"),
        ("a01-000u-00-00 err 154 408 768 27 51 AT A\n", "holds no words that are segmented without error"),
        ("../a-b ok 154 408 768 27 51 AT A\n" + ROW, r"'words/\.\./a/\.\./a-b/\.\./a-b.png' leads out"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, table: str, message: str) -> None:
    root = Path(iam(tmp_path / "iam", {"ascii/words.txt": ROW}))
    (root / "ascii" / "words.txt").write_text(table)
    with pytest.raises(DatasetError, match=rf"iam.*{message}"):
        read(str(root), "words")


def test_a_table_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(DatasetError, match=r"words\.txt, line 2: is not UTF-8"):
        parse_table(ROW.encode() + "é".encode("latin-1"), where="words.txt")


def test_a_missing_picture_is_named_with_its_line(tmp_path: Path) -> None:
    root = iam(tmp_path / "iam", {"ascii/words.txt": WORDS})
    (Path(root) / "words/a01/a01-000u/a01-000u-00-01.png").unlink()
    message = r"words\.txt, line 6: there is no picture 'words/a01/a01-000u/a01-000u-00-01\.png'.*words\.tgz"
    with pytest.raises(DatasetError, match=message):
        read(root, "words")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is not a picture"), (picture(0)[:60], "damaged"), (png(np.full((9, 9), 250, np.uint8)), "shows no ink")],
)
def test_a_bad_picture_is_named_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    root = iam(tmp_path / "iam", {"ascii/lines.txt": LINES})
    (Path(root) / "lines/b02/b02-010/b02-010-00.png").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"lines\.txt, line 3: picture 'lines/b02/.*{message}"):
        read(root, "lines")


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"ascii/forms.txt": "a01-000u 000 2 prt\n"}, r"words\.txt, line 9: nothing says who wrote form 'b02-010'"),
        ({"ascii/forms.txt": "#\na01-000u\n"}, r"forms\.txt, line 2: has no writer"),
        ({"xml/a01-000u.xml": "<form id='a01-000u'/>"}, r"a01-000u\.xml: is no form of IAM"),
        ({"xml/a01-000u.xml": "<page id='a01-000u' writer-id='000'/>"}, r"a01-000u\.xml: is no form of IAM"),
        ({"xml/a01-000u.xml": "<form"}, r"a01-000u\.xml, line 1: is not well-formed XML"),
    ],
)
def test_writers_are_known_wholly_or_not_at_all(tmp_path: Path, tables: dict[str, str], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(iam(tmp_path / "iam", {"ascii/words.txt": WORDS, **tables}), "words")


def test_what_a_copy_lacks_is_named_with_what_it_has(tmp_path: Path) -> None:
    root = iam(tmp_path / "iam", {"ascii/words.txt": WORDS})
    with pytest.raises(DatasetError, match=r"has no ascii/lines.txt; add it, or read it with --task words"):
        read(root, "lines")
    with pytest.raises(DatasetError, match=r"is IAM, which holds words and lines; read it with --task"):
        read(root)
