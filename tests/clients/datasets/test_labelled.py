"""Pictures with a table of labels: every row is used, or the first bad one is named."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from handfed.clients.datasets import read
from handfed.clients.datasets.labelled import parse_table
from handfed.clients.edge.pictures import read_picture
from handfed.shared import strips
from handfed.shared.alphabet import SPACE
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise
from handfed.shared.tasks import TASKS

HEADER = "image\twriter\tgroup\ttext\n"
ROWS = "a0.png\tw7\tnorth\ta\nb0.png\tw3\tsouth\tb\na1.png\tw7\tnorth\ta\n"
NAMES = ("a0.png", "b0.png", "a1.png")


def picture(seed: int) -> bytes:
    pixels = np.full((30, 24), 240, np.uint8)
    pixels[5 : 12 + seed, 8 + seed : 11 + seed] = 30
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURES = {name: picture(seed) for seed, name in enumerate(NAMES)}


def folder(path: Path, table: str = HEADER + ROWS, pictures: dict[str, bytes] = PICTURES) -> str:
    path.mkdir()
    (path / "labels.tsv").write_bytes(table.encode())
    for name, content in pictures.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return str(path)


def archive(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return str(path)


def folder_with_archive(path: Path, table: str = HEADER + ROWS) -> str:
    folder(path, table, {})
    archive(path / "images.zip", PICTURES)
    return str(path)


def one_archive(path: Path) -> str:
    return archive(path.with_suffix(".zip"), {"labels.tsv": (HEADER + ROWS).encode(), **PICTURES})


def one_archive_of_a_folder(path: Path) -> str:
    members = {"labels.tsv": (HEADER + ROWS).encode(), **PICTURES}
    junk = {"__MACOSX/school/._a0.png": b"junk", "school/.DS_Store": b"junk"}
    return archive(path.with_suffix(".zip"), {**{f"school/{name}": each for name, each in members.items()}, **junk})


@pytest.mark.parametrize("write", [folder, folder_with_archive, one_archive, one_archive_of_a_folder])
def test_every_packing_gives_the_same_data_set(tmp_path: Path, write: object) -> None:
    assert callable(write)
    dataset = read(write(tmp_path / "school"))
    assert dataset.name == "school"
    assert dataset.alphabet.names == ("a", "b")
    assert dataset.labels.tolist() == [0, 1, 0]
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [1, 0, 1]
    for row, name in enumerate(NAMES):
        with Image.open(io.BytesIO(PICTURES[name])) as image:
            assert np.array_equal(dataset.images[row], normalise(np.asarray(image)))


def test_writers_are_optional(tmp_path: Path) -> None:
    assert read(folder(tmp_path / "a", "image\ttext\na0.png\ta\nb0.png\tb\n")).writers is None


def test_pictures_may_lie_in_folders_below(tmp_path: Path) -> None:
    pictures = {"north/a.png": picture(0), "south/a.png": picture(1)}
    dataset = read(folder(tmp_path / "a", "image\ttext\nnorth/a.png\ta\nsouth/a.png\tb\n", pictures))
    assert len(dataset) == 2


def test_the_table_may_come_from_another_system(tmp_path: Path) -> None:
    table = "\ufeff" + (HEADER + ROWS).replace("\n", "\r\n")
    assert len(read(folder(tmp_path / "a", table))) == 3


def test_quotes_are_characters() -> None:
    rows = parse_table(b"image\ttext\na.png\t\"\nb.png\t'\n", where="labels.tsv")
    assert [row.text for row in rows] == ['"', "'"]


def test_only_line_feeds_separate_lines() -> None:
    rows = parse_table("image\ttext\na\u2028b.png\ta\n".encode(), where="labels.tsv")
    assert [row.image for row in rows] == ["a\u2028b.png"]


def test_a_letter_typed_in_two_ways_is_one_class(tmp_path: Path) -> None:
    table = "image\ttext\na0.png\t\u00e9\nb0.png\te\u0301\na1.png\te\n"
    dataset = read(folder(tmp_path / "a", table))
    assert dataset.alphabet.names == ("e", "\u00e9")
    assert dataset.labels.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", r": the header has no column 'image'"),
        ("image,text\na0.png,a\n", r"no column 'image' \(found: image,text\); columns are separated by tabs"),
        ("image\tlabel\na0.png\ta\n", "no column 'text'"),
        ("image\ttext\ttext\na0.png\ta\ta\n", "has the column 'text' twice"),
        (HEADER, "holds no samples, only a header"),
        (HEADER.rstrip("\n"), "holds no samples, only a header"),
        (HEADER + "a0.png\tw7\ta\n", "line 2: has 3 columns, and the header has 4"),
        (HEADER + ROWS + "\nb0.png\tw3\tsouth\tb\n", "line 5: has 1 columns"),
        (HEADER + ROWS + "b1.png\tw3\tsouth\tb\tb\n", "line 5: has 5 columns"),
        (HEADER + ROWS + "a0.png\tw7\tnorth\ta\n", "line 5: image 'a0.png' is on line 2 already"),
        (HEADER + ROWS + "./a0.png\tw7\tnorth\ta\n", "line 5: write the image as 'a0.png'"),
        (HEADER + ROWS + "b1.png\tw3\tsouth\t\n", "line 5: the text is empty"),
        (HEADER + ROWS + "b1.png\tw3\tsouth\t \n", "line 5: the text is empty"),
        (HEADER + ROWS + "\tw3\tsouth\tb\n", "line 5: the image is empty"),
        (HEADER + ROWS + "b1.png\t\tsouth\tb\n", "line 5: the writer is empty"),
        (HEADER + ROWS + "b1.png\tw3\tsouth\tb\n", "line 5: there is no image 'b1.png' in .*school"),
        (
            HEADER + ROWS + "b1.png\tw3\tsouth\tbc\n",
            r"line 5: the text has 2 characters.* correct or remove .*\(1 of 4\)",
        ),
        (HEADER + ROWS + "b" * 300 + ".png\tw3\tsouth\tb\n", "line 5: .*(cannot be looked up|there is no image)"),
        (HEADER + ROWS + "a0.png/b.png\tw3\tsouth\tb\n", "line 5: there is no image 'a0.png/b.png'"),
        (HEADER + ROWS + "/etc/passwd\tw3\tsouth\tb\n", "line 5: .*'/etc/passwd' leads out"),
        (HEADER + ROWS + "../other.png\tw3\tsouth\tb\n", r"line 5: .*'\.\./other.png' leads out"),
        (HEADER + ROWS + "a/../../b.png\tw3\tsouth\tb\n", "line 5: .*leads out"),
        (HEADER + ROWS + "C:\\b.png\tw3\tsouth\tb\n", "line 5: .*leads out"),
        (HEADER + "a0.png\tw7\tnorth\ta\na1.png\tw7\tnorth\ta\n", "at least two classes"),
        ("image\ttext\na0.png\t\x1b\nb0.png\tb\n", "class 0 has a control character"),
    ],
)
@pytest.mark.parametrize("write", [folder, folder_with_archive])
def test_what_cannot_be_used_is_refused(tmp_path: Path, write: object, table: str, message: str) -> None:
    assert callable(write)
    (tmp_path / "other.png").write_bytes(picture(0))
    with pytest.raises(DatasetError, match=rf"labels\.tsv.*{message}"):
        read(write(tmp_path / "school", table))


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = Path(folder(tmp_path / "a"))
    (path / "labels.tsv").write_bytes((HEADER + ROWS).encode() + "b1.png\tw3\tsouth\té\n".encode("latin-1"))
    with pytest.raises(DatasetError, match=r"labels.tsv, line 5: is not UTF-8"):
        read(str(path))


def test_words_are_refused_as_another_kind_of_data_set(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"line 3: the text has 6 characters.*2 of 3 texts.* holds words or lines"):
        read(folder(tmp_path / "a", "image\ttext\na0.png\ta\nb0.png\tflying\na1.png\tto\n"))


@pytest.mark.parametrize("name", ["words_unipen", "lines_copiste"])
def test_real_words_and_lines_are_refused(shared_data: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=rf"{name}/labels.tsv, line 2: .* holds words or lines"):
        read(str(shared_data / name))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a picture", "is not a picture"),
        (b"", "is not a picture"),
        (PICTURES["b0.png"][:60], "damaged or cut off"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_bad_picture_is_named_with_its_line(tmp_path: Path, content: bytes, message: str, *, packed: bool) -> None:
    pictures = {**PICTURES, "b0.png": content}
    path = tmp_path / "school"
    folder(path, HEADER + ROWS, {} if packed else pictures)
    if packed:
        archive(path / "images.zip", pictures)
    with pytest.raises(DatasetError, match=rf"labels.tsv, line 3: image 'b0.png': .*{message}"):
        read(str(path))


def test_a_blank_picture_is_named_with_its_line(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (20, 20), 255).save(file, "PNG")
    with pytest.raises(DatasetError, match=r"line 3: image 'b0.png': .*no ink"):
        read(folder(tmp_path / "a", pictures={**PICTURES, "b0.png": file.getvalue()}))


def test_a_picture_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = Path(folder(tmp_path / "a"))
    (tmp_path / "secret.png").write_bytes(picture(0))
    (path / "b0.png").unlink()
    (path / "b0.png").symlink_to("../secret.png")
    with pytest.raises(DatasetError, match=r"line 3: .*'b0.png' is a link out of the folder"):
        read(str(path))


def test_a_table_that_is_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = Path(folder(tmp_path / "a"))
    (path / "labels.tsv").rename(tmp_path / "labels.tsv")
    (path / "labels.tsv").symlink_to("../labels.tsv")
    with pytest.raises(DatasetError, match=r"'labels.tsv' is a link out of the folder"):
        read(str(path))


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    path = Path(folder(tmp_path / "a"))
    (path / "originals").mkdir()
    (path / "b0.png").rename(path / "originals" / "b0.png")
    (path / "b0.png").symlink_to("originals/b0.png")
    assert len(read(str(path))) == 3


def test_a_truncated_archive_of_pictures_is_refused(tmp_path: Path) -> None:
    path = Path(folder_with_archive(tmp_path / "a")) / "images.zip"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DatasetError, match=r"images.zip: is not a whole zip archive"):
        read(str(path.parent))


def test_a_bad_checksum_names_the_picture(tmp_path: Path) -> None:
    path = Path(folder_with_archive(tmp_path / "a")) / "images.zip"
    content = bytearray(path.read_bytes())
    content[content.index(b"b0.png") + 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"'b0.png' is damaged .*CRC"):
        read(str(path.parent))


def test_an_archive_within_the_archive_is_refused(tmp_path: Path) -> None:
    members = {"labels.tsv": (HEADER + ROWS).encode(), "images.zip": b"PK"}
    with pytest.raises(DatasetError, match="unpack the outer archive"):
        read(archive(tmp_path / "a.zip", members))


WORDS = HEADER + "a0.png\tw7\tnorth\tab\nb0.png\tw3\tsouth\tc\na1.png\tw7\tnorth\ta ab\n"


def test_words_are_strips_with_the_characters_they_say(tmp_path: Path) -> None:
    dataset = read(folder(tmp_path / "words", WORDS), "words")
    assert dataset.alphabet.names == (SPACE, "a", "b", "c")
    assert dataset.samples.written() == [[1, 2], [3], [1, 0, 1, 2]]
    assert dataset.samples.images.shape[1] == TASKS["words"].height
    assert dataset.samples.widths is not None
    first = strips.normalise(read_picture(PICTURES["a0.png"], where="a0.png"), TASKS["words"].height)
    np.testing.assert_array_equal(dataset.samples.images[0, :, : dataset.samples.widths[0]], first)
    assert dataset.writer_count == 2
    assert dataset.class_counts().tolist() == [1, 3, 2, 1]


def test_lines_are_as_high_as_their_task_says(tmp_path: Path) -> None:
    assert read(folder(tmp_path / "lines", WORDS), "lines").images.shape[1] == TASKS["lines"].height


def test_words_read_as_characters_are_refused_with_the_way_to_read_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--task words"):
        read(folder(tmp_path / "words", WORDS))


def test_an_alphabet_may_have_more_classes_than_the_data_shows(tmp_path: Path) -> None:
    task = tmp_path / "task.toml"
    task.write_text('summary = "letters"\nalphabet = "letters"\n')
    dataset = read(folder(tmp_path / "some"), str(task))
    assert len(dataset.alphabet) == 52
    assert [dataset.alphabet.names[label] for label in dataset.labels] == ["a", "b", "a"]


def test_a_label_outside_of_the_alphabet_is_an_error_that_names_its_sample(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"sample 0 \(from 0\): 'a' is not in the alphabet 0 1 2 .* \(3 of 3\)"):
        read(folder(tmp_path / "some"), "digits")
    task = tmp_path / "task.toml"
    task.write_text('summary = "x"\nkind = "words"\nrecogniser = "tcn"\nheight = 32\nalphabet = "letters"\n')
    with pytest.raises(DatasetError, match=r"sample 2 \(from 0\): ' ' is not in the alphabet A B .* \(1 of 3\)"):
        read(folder(tmp_path / "words", WORDS), str(task))


def test_single_characters_are_no_words() -> None:
    with pytest.raises(DatasetError, match="holds single characters, and the task is of words"):
        read("mnist5k", "words")


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r"), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.from_regex(r"[a-z]{1,6}\.png", fullmatch=True), CELL, CELL), unique_by=lambda row: row[0]))
def test_a_table_comes_back_as_it_was_written(rows: list[tuple[str, str, str]]) -> None:
    usable = [row for row in rows if row[2].strip()]
    content = "image\twriter\ttext\n" + "".join("\t".join(row) + "\n" for row in usable)
    if not usable:
        with pytest.raises(DatasetError, match="no samples"):
            parse_table(content.encode(), where="labels.tsv")
        return
    parsed = parse_table(content.encode(), where="labels.tsv")
    expected = [(image, writer, unicodedata.normalize("NFC", text).strip()) for image, writer, text in usable]
    assert [(row.image, row.writer, row.text) for row in parsed] == expected
    assert [row.line for row in parsed] == list(range(2, len(usable) + 2))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_dataset_error(content: bytes) -> None:
    for table in (content, b"image\ttext\n" + content):
        try:
            rows = parse_table(table, where="labels.tsv")
        except DatasetError as error:
            assert str(error).startswith("labels.tsv")  # noqa: PT017 - rows are as right as a refusal
        else:
            assert rows
