"""CASIA-HWDB's .gnt files: every record is read, or the first bad one is named by its byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handfed.clients.datasets import read
from handfed.clients.datasets.gnt import records
from handfed.shared.errors import DatasetError
from handfed.shared.images import normalise


def picture(seed: int = 0) -> NDArray[np.uint8]:
    """A character that touches all four sides, as HWDB cuts them out."""
    pixels = np.full((30, 24 + seed), 255, np.uint8)
    pixels[:, 9:13] = 40
    pixels[14:17] = 90
    return pixels


def record(code: bytes, pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape
    return struct.pack("<I2sHH", 10 + width * height, code, width, height) + pixels.tobytes()


def gnt(*characters: str) -> bytes:
    return b"".join(
        record(character.encode("gbk").ljust(2, b"\0"), picture(seed)) for seed, character in enumerate(characters)
    )


def test_a_file_is_one_writer_and_its_characters_are_classes(tmp_path: Path) -> None:
    (tmp_path / "001-f.gnt").write_bytes(gnt("啊", "A", "啊"))
    dataset = read(str(tmp_path / "001-f.gnt"))
    assert dataset.name == "001-f"
    assert dataset.alphabet.names == ("A", "啊")
    assert dataset.labels.tolist() == [1, 0, 1]
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(dataset.images[1], normalise(np.pad(picture(1), 3, constant_values=255)))


def test_a_folder_has_a_writer_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "1002.gnt").write_bytes(gnt("二", "一"))
    (tmp_path / "1001.GNT").write_bytes(gnt("一", "三", "二"))
    (tmp_path / "readme.txt").write_text("not read")
    dataset = read(str(tmp_path))
    assert dataset.alphabet.names == ("一", "三", "二")
    assert dataset.labels.tolist() == [0, 1, 2, 2, 0]
    assert dataset.writers is not None
    assert dataset.writers.tolist() == [0, 0, 0, 1, 1]


def test_a_character_that_is_nearly_all_ink_is_still_dark_ink(tmp_path: Path) -> None:
    dash = np.full((4, 40), 10, np.uint8)
    dash[0, :3] = 255
    (tmp_path / "a.gnt").write_bytes(record("一".encode("gbk"), dash) + gnt("A"))
    image = read(str(tmp_path / "a.gnt")).images[0]
    rows, columns = np.nonzero(image > 100)
    assert np.ptp(columns) >= 18
    assert np.ptp(rows) <= 2  # the dash, and not the corner that is left of the paper


def test_a_stroke_one_pixel_wide_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.gnt").write_bytes(record(b"|\0", np.zeros((20, 1), np.uint8)) + gnt("A"))
    assert read(str(tmp_path / "a.gnt")).alphabet.names == ("A", "|")


@pytest.mark.parametrize("code", [b"A\0", b"\0A"])
def test_one_byte_characters_stand_in_either_byte(code: bytes) -> None:
    assert [character for _, character, _ in records(record(code, picture()), where="a.gnt")] == ["A"]


def test_two_codes_of_one_character_are_one_class() -> None:
    both = record(b"\xfd\x9c", picture()) + record("郎".encode("gbk"), picture())  # U+F92C is U+90CE in form C
    assert {character for _, character, _ in records(both, where="a.gnt")} == {"郎"}


def test_thousands_of_classes_are_read_in_code_point_order(tmp_path: Path) -> None:
    codes = [bytes([row, cell]) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF)]
    level_1 = [code.decode("gbk") for code in codes[:3755]]  # of GB 2312
    small = np.full((3, 3), 255, np.uint8)
    small[1] = 0
    content = b"".join(record(character.encode("gbk"), small) for character in level_1)
    (tmp_path / "all.gnt").write_bytes(content)
    dataset = read(str(tmp_path / "all.gnt"))
    assert dataset.alphabet.names == tuple(sorted(level_1))
    assert [dataset.alphabet.names[label] for label in dataset.labels] == level_1


FIRST = gnt("啊")
START = f"{len(FIRST)}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": is empty"),
        (FIRST[:7], "byte 0: the record is cut off in its header"),
        (FIRST + FIRST[:9], f"byte {START}: the record is cut off in its header"),
        (FIRST + FIRST[:-1], f"byte {START}: the record should have 730 bytes, and 729 are left"),
        (FIRST + struct.pack("<I2sHH", 11, b"A\0", 2, 2) + b"1234", "byte 730: a record of 2 x 2 .* have 11 bytes"),
        (FIRST + struct.pack("<I2sHH", 10, b"A\0", 0, 7), "byte 730: a record of 0 x 7 pixels cannot have 10 bytes"),
        (
            FIRST + struct.pack("<I2sHH", 2**32 - 1, b"A\0", 65535, 65535),
            "byte 730: a record of 65535 x 65535 .* cannot",
        ),
        (record(b"ab", picture()), "byte 0: the code 0x6162 stands for no visible character"),
        (record(b"\0\0", picture()), "byte 0: the code 0x0000"),
        (record(b"\xff\xff", picture()), "byte 0: the code 0xffff"),
        (record(b"\xa1\xa1", picture()), "byte 0: the code 0xa1a1"),  # a space
        (record(b"\x1b\0", picture()), "byte 0: the code 0x1b00"),
        (FIRST + record(b"A\0", np.full((9, 9), 255, np.uint8)), "byte 730: the image shows no ink"),
        (FIRST, "a recogniser needs at least two classes, and this has 1"),
    ],
)
@pytest.mark.parametrize("in_folder", [False, True])
def test_what_cannot_be_used_is_refused(tmp_path: Path, content: bytes, message: str, *, in_folder: bool) -> None:
    (tmp_path / "w.gnt").write_bytes(content)
    with pytest.raises(DatasetError, match=f"^{tmp_path}.*{message}"):
        read(str(tmp_path if in_folder else tmp_path / "w.gnt"))


def test_bytes_are_named_as_a_person_writes_them(tmp_path: Path) -> None:
    (tmp_path / "w.gnt").write_bytes(FIRST * 2 + b"1234")
    with pytest.raises(DatasetError, match=r"w\.gnt, byte 1,460: "):
        read(str(tmp_path / "w.gnt"))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "w.gnt").write_bytes(gnt("A", "B"))
    (tmp_path / "folder" / "w.gnt").symlink_to("../w.gnt")
    with pytest.raises(DatasetError, match="is a link out of the folder"):
        read(str(tmp_path / "folder"))


def test_single_characters_are_no_lines(tmp_path: Path) -> None:
    (tmp_path / "w.gnt").write_bytes(gnt("A", "B"))
    with pytest.raises(DatasetError, match="holds single characters, and the task is of lines"):
        read(str(tmp_path / "w.gnt"), "lines")


PIXELS = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 200))


@given(st.lists(st.tuples(st.sampled_from("AZ啊阿·—"), PIXELS), min_size=1))
def test_records_come_back_as_they_were_written(rows: list[tuple[str, tuple[int, int, int]]]) -> None:
    pictures = [(character, np.full((height, width), shade, np.uint8)) for character, (height, width, shade) in rows]
    content = b"".join(record(character.encode("gbk").ljust(2, b"\0"), pixels) for character, pixels in pictures)
    parsed = list(records(content, where="a.gnt"))
    assert [character for _, character, _ in parsed] == [character for character, _ in pictures]
    for (_, _, found), (_, written) in zip(parsed, pictures, strict=True):
        np.testing.assert_array_equal(found, written)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4), st.integers(0, 300))
def test_damage_gives_a_data_set_or_a_dataset_error(tmp_path: Path, changes: list[tuple[int, int]], cut: int) -> None:
    whole = gnt("A", "啊")
    content = bytearray(whole[: len(whole) - max(0, cut - 200)])
    for position, value in changes:
        content[position % len(content)] = value
    (tmp_path / "w.gnt").write_bytes(content)
    try:
        dataset = read(str(tmp_path / "w.gnt"))
    except DatasetError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017 - a data set is as right as a refusal
    else:
        assert len(dataset) == 2
