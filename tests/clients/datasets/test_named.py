"""Data sets that installed packages offer. Each test installs one: a folder with metadata and a module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handfed.clients.datasets import NamedDataset, available, read
from handfed.shared.errors import DatasetError

MODULE = """
import numpy as np
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.samples import Samples

class Letters:
    name, summary, licence = "letters", "two letters", "CC0"

    def load(self):
        images = np.zeros((2, 28, 28), np.uint8)
        labels = np.array([0, 1], np.int32)
        return Dataset("letters", Alphabet(("a", "b")), Samples(images, labels), None, "drawn", "CC0")

LETTERS = Letters()
NOT_ONE = object()
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    metadata = folder / "letterbox-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: letterbox\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[handfed.datasets]\n{entry}\n")
    (folder / "letterbox_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))


def test_the_real_digits_of_the_simulations_are_on_offer() -> None:
    offered = {each.name: each for each in available()}
    assert isinstance(offered["mnist5k"], NamedDataset)
    assert "MNIST" in offered["mnist5k"].summary
    assert "CC BY-SA 3.0" in offered["mnist5k"].licence


def test_what_is_downloaded_on_first_use_says_so_and_how_large_it_is() -> None:
    offered = {each.name: each.summary for each in available()}
    assert "downloads 201 MB on first use" in offered["femnist"]
    assert "downloads 11 MB on first use" in offered["mnist"]
    assert "download" not in offered["mnist5k"]


def test_listing_imports_nothing_that_could_download() -> None:
    code = (
        "import sys; from handfed.clients.datasets import available; available();"
        "print(sorted({'tensorflow', 'flwr_datasets', 'datasets', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_another_package_may_offer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "letters = letterbox_of_a_test:LETTERS")
    assert [each.name for each in available()] == ["femnist", "letters", "mnist", "mnist5k"]
    assert read("letters").alphabet.names == ("a", "b")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("letters = letterbox_of_a_test:MISSING", "'letters' of package letterbox cannot be loaded"),
        ("letters = no_such_module:LETTERS", "'letters' of package letterbox cannot be loaded"),
        ("letters = letterbox_of_a_test:NOT_ONE", "'letters' of package letterbox is not a data set"),
        ("other = letterbox_of_a_test:LETTERS", "'other' of package letterbox is not a data set of that name"),
    ],
)
def test_a_broken_offer_is_named_and_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, message: str
) -> None:
    install(tmp_path, monkeypatch, entry)
    for attempt in (available, lambda: read(entry.split(" ", maxsplit=1)[0])):
        with pytest.raises(DatasetError, match=message):
            attempt()
    assert len(read("mnist5k")) == 5_000
