"""Strokes beside an archive of characters: read whole, or refused with what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.clients.datasets import read
from handfed.clients.datasets.strokes import path_of, read_strokes
from handfed.shared import planes
from handfed.shared.errors import DatasetError, SettingError

ROWS = 6


def characters(path: Path) -> str:
    """Bars, drawn upwards and of two sizes, of two writers."""
    pictures = np.zeros((ROWS, 12, 12), np.uint8)
    pictures[:, 2:10, 5:7] = 255
    np.savez(path, x=pictures, y=np.arange(ROWS) % 2, writer=np.arange(ROWS) // 3, allow_pickle=False)
    return str(path)


def pen(**others: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Two points for each row."""
    points = np.zeros((2 * ROWS, 2), np.int16)
    points[1::2, 1] = 100 * (1 + np.arange(ROWS) % 3)
    usual: dict[str, NDArray[Any]] = {
        "offset": np.arange(0, 2 * ROWS + 1, 2),
        "points": points,
        "stroke": np.zeros(2 * ROWS, np.uint8),
    }
    return {**usual, **others}


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return characters(tmp_path / "mine.npz")


def save(archive: str, **others: NDArray[Any]) -> Path:
    path = path_of(Path(archive))
    np.savez(path, allow_pickle=False, **pen(**others))
    return path


def test_strokes_lie_beside_their_characters() -> None:
    assert path_of(Path("folder/mine.npz")) == Path("folder/mine_strokes.npz")
    assert path_of(Path("A.NPZ")) == Path("A_strokes.NPZ")


def test_strokes_are_read_row_by_row(archive: str) -> None:
    strokes = read_strokes(save(archive), ROWS)
    assert len(strokes) == ROWS
    assert strokes.boxes()[:, 3].tolist() == [100, 200, 300, 100, 200, 300]
    assert (str(strokes.points.dtype), str(strokes.stroke.dtype)) == ("int16", "uint8")


def test_wider_integers_are_read_alike(archive: str) -> None:
    narrow = read_strokes(save(archive), ROWS)
    wide = {name: array.astype(np.int64) for name, array in pen().items()}
    again = read_strokes(save(archive, **wide), ROWS)
    np.testing.assert_array_equal(again.points, narrow.points)


def test_planes_come_in_the_order_of_the_inputs(archive: str) -> None:
    save(archive)
    samples = read(archive, inputs="size,topology,pen").samples
    assert samples.channels == 7
    assert samples.planes is not None
    np.testing.assert_array_equal(samples.planes[..., 1:3], planes.topology(samples.images))
    size, across, up = (samples.planes[..., place] for place in (0, 3, 4))
    assert size.max(axis=(1, 2)).tolist() == [85, 128, 153, 85, 128, 153]  # 1/2, 1 and 3/2 of the usual
    assert set(np.unique(up)) == {0, 255}
    assert set(np.unique(across)) == {0, 128}


def test_topology_needs_no_strokes(archive: str) -> None:
    assert read(archive, inputs="topology").samples.channels == 3


def test_without_inputs_nothing_is_beside_the_ink(archive: str) -> None:
    assert read(archive).samples.planes is None


@pytest.mark.parametrize("inputs", ["size", "topology,pen"])
def test_strokes_that_are_not_there_are_asked_for(archive: str, inputs: str) -> None:
    with pytest.raises(DatasetError, match=r"mine_strokes\.npz: is not there, .*leave size and pen out of inputs"):
        read(archive, inputs=inputs)


def test_strokes_that_need_not_be_there_leave_their_planes_empty(archive: str) -> None:
    samples = read(archive, inputs="size,topology", need_strokes=False).samples
    assert samples.planes is not None
    assert not samples.planes[..., 0].any()
    np.testing.assert_array_equal(samples.planes[..., 1:], planes.topology(samples.images))
    save(archive)
    drawn = read(archive, inputs="size,topology", need_strokes=False).samples.planes
    assert drawn is not None
    assert drawn[..., 0].any()


def test_a_folder_without_a_name_has_no_strokes_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    for name in "ab":
        (tmp_path / name).mkdir()
        picture = np.full((12, 12), 255, np.uint8)
        picture[2:10, 5:7] = 0
        Image.fromarray(picture).save(tmp_path / name / "1.png")
    monkeypatch.chdir(tmp_path)
    assert read(".", inputs="topology").samples.channels == 3
    with pytest.raises(DatasetError, match="_strokes: is not there"):
        read(".", inputs="pen")


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"offset": np.arange(0, 2 * ROWS, 2)}, r"'offset' has shape \(6,\), not \(7,\)"),
        ({"offset": np.array([0, 2, 4, 4, 8, 10, 12])}, "'offset' must rise from 0 to the number of points"),
        ({"offset": np.array([0, 4, 2, 6, 8, 10, 12])}, "'offset' must rise"),
        ({"offset": np.array([1, 2, 4, 6, 8, 10, 12])}, "'offset' must rise from 0"),
        ({"offset": np.array([0, 2, 4, 6, 8, 10, 11])}, "'offset' must rise"),
        ({"offset": np.array([0, 2, 4, 6, 8, 10, 2**63 + 12], np.uint64)}, "'offset' must rise"),
        ({"offset": np.arange(0, 2 * ROWS + 1, 2, dtype=np.float64)}, "'offset' is float64; it must hold integers"),
        ({"points": np.zeros((2 * ROWS, 2), np.float32)}, "'points' is float32; it must hold integers"),
        ({"points": np.zeros((2 * ROWS, 3), np.int16)}, r"'points' has shape \(12, 3\), not \(m, 2\)"),
        ({"points": np.zeros(4 * ROWS, np.int16)}, r"'points' has shape \(24,\), not \(m, 2\)"),
        ({"points": np.full((2 * ROWS, 2), 32_768)}, "'points' holds a number that is not from -32,768 to 32,767"),
        ({"stroke": np.zeros(2 * ROWS - 1, np.uint8)}, "'points' and 'stroke' differ in length"),
        ({"stroke": np.full(2 * ROWS, -1)}, "'stroke' holds a number that is not from 0 to 255"),
        ({"stroke": np.array(["a"] * 2 * ROWS)}, "'stroke' is <U1; it must hold integers"),
    ],
)
def test_damaged_strokes_are_refused_with_the_array(archive: str, others: dict[str, NDArray[Any]], said: str) -> None:
    path = save(archive, **others)
    with pytest.raises(DatasetError, match=rf"mine_strokes\.npz: array.* {said}") as refused:
        read_strokes(path, ROWS)
    assert str(refused.value).startswith(str(path))


def test_a_file_that_lacks_an_array_or_is_none_is_refused(archive: str) -> None:
    path = path_of(Path(archive))
    np.savez(path, offset=pen()["offset"], allow_pickle=False)
    with pytest.raises(DatasetError, match=r"has no array 'points' \(found: offset\)"):
        read_strokes(path, ROWS)
    path.write_bytes(b"strokes")
    with pytest.raises(DatasetError, match="is not a whole zip archive"):
        read_strokes(path, ROWS)


def test_strokes_of_other_rows_are_refused(archive: str) -> None:
    with pytest.raises(DatasetError, match=r"'offset' has shape \(7,\), not \(6,\)"):
        read_strokes(save(archive), ROWS - 1)


def test_an_unknown_kind_is_refused(archive: str) -> None:
    with pytest.raises(SettingError, match="there is no 'colour'"):
        read(archive, inputs="colour")


def test_of_words_a_recogniser_sees_the_ink_alone(tmp_path: Path) -> None:
    from PIL import Image

    picture = np.full((32, 60), 255, np.uint8)
    picture[8:24, 10:50] = 0
    Image.fromarray(picture).save(tmp_path / "1.png")
    (tmp_path / "labels.tsv").write_text("image\ttext\n1.png\tab\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="of words and lines a recogniser sees the ink alone; leave inputs out"):
        read(str(tmp_path), "words", "topology")


def test_real_strokes_are_read_with_their_characters(shared_data: Path) -> None:
    strokes = read_strokes(shared_data / "characters_unipen_strokes.npz", 73_369)
    assert strokes.points.shape == (3_095_380, 2)
    assert strokes.stroke.max() == 6
