"""FEMNIST, LEAF's characters by their writers, which Flower Datasets downloads from the Hugging Face Hub on first use.

| column | what |
|---|---|
| `image` | a picture of 28 x 28, dark on light |
| `writer_id` | who wrote it: 3,597 writers |
| `hsf_id` | which part of NIST's database 19 it is from; not read |
| `character` | its class, of 62: the digits, the capital letters, the small letters |

It is kept where Hugging Face keeps data sets: in `~/.cache/huggingface`, or where the environment variable HF_HOME
says. The pictures are taken in the order of the file. One without ink cannot be corrected by whoever downloads it: it
is left out, and `Dataset.source` counts such pictures. Flower's and Hugging Face's telemetry are off.

Source: Caldas et al. 2018, LEAF: A benchmark for federated settings; https://huggingface.co/datasets/flwrlabs/femnist.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.errors import DatasetError, ImageError, MissingExtraError
from handfed.shared.geometry import SIDE
from handfed.shared.images import normalise
from handfed.shared.samples import Samples

_COLUMNS: Final = ("image", "writer_id", "character")
_BATCH: Final = 1_000  # rows that are unpacked at a time
_NO_TELEMETRY: Final = {"FLWR_TELEMETRY_ENABLED": "0", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True)
class Femnist:
    """A `handfed.clients.datasets.NamedDataset`.

    Attributes:
        name: As on the command line.
        summary: What it is.
        licence: What it may be used under.
        repository: Where it is on the Hugging Face Hub, or a folder of such Parquet files.
    """

    name: str = "femnist"
    summary: str = (
        "814,277 digits and letters of 3,597 known writers, 62 classes; downloads 201 MB on first use, through Flower"
        " Datasets"
    )
    licence: str = "BSD-2-Clause (LEAF)"
    repository: str = "flwrlabs/femnist"

    def load(self) -> Dataset:
        """Downloads the pictures where they are not kept yet, and normalises them, which takes a few minutes.

        Raises:
            DatasetError: They cannot be downloaded, or are not what this module describes.
            MissingExtraError: Flower Datasets is not installed.
        """
        from handfed.clients.datasets.samples import number_writers, refuse_empty_classes

        table = _download(self.repository)
        _check_columns(table, self.repository)
        alphabet = Alphabet.of(table.features["character"].names, where=self.repository)
        labels = _column(table, "character", int, self.repository)
        writers = _column(table, "writer_id", str, self.repository)
        images, with_ink = _images(table, self.repository)
        shown = labels[with_ink].astype(np.int32)
        refuse_empty_classes(shown, alphabet, where=self.repository)
        left_out = f"; {np.count_nonzero(~with_ink):,} pictures without ink are left out" if not with_ink.all() else ""
        return Dataset(
            self.name,
            alphabet,
            Samples(images[with_ink], shown),
            number_writers(writers[with_ink])[1],
            source=f"FEMNIST of the LEAF benchmark, as the Hugging Face Hub has it in {self.repository}{left_out}",
            licence=self.licence,
        )


def _download(repository: str) -> Any:  # noqa: ANN401 - a datasets.Dataset, whose library publishes no types
    """The table of all samples, from the cache or the network."""
    os.environ.update(_NO_TELEMETRY)  # both libraries read it when they are imported
    try:
        from flwr_datasets import FederatedDataset  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError("Flower Datasets", "handfed-simulations[femnist]") from None
    try:
        # Without partitioners: who holds what is decided later, as for every data set.
        return FederatedDataset(dataset=repository, partitioners={}, shuffle=False).load_split("train")
    except Exception as error:  # five libraries take part in a download, each with errors of its own
        raise DatasetError(
            f"FEMNIST cannot be downloaded ({error}); connect to the network once, or copy the folder"
            f" {os.environ.get('HF_HOME', '~/.cache/huggingface')} from a computer that has downloaded it"
        ) from error


def _check_columns(table: Any, where: str) -> None:  # noqa: ANN401 - as `_download`
    missing = [name for name in _COLUMNS if name not in table.features]
    if missing or not hasattr(table.features["character"], "names"):
        raise DatasetError(
            f"{where}: has the columns {', '.join(table.features)}; image, writer_id and character, a class label, are"
            " needed"
        )


def _column(table: Any, name: str, kind: type, where: str) -> NDArray[Any]:  # noqa: ANN401 - as `_download`
    """A column whole; texts or positions of classes, and no row without."""
    values = table[name][:]
    for row, value in enumerate(values):
        if not isinstance(value, kind) or value == -1:  # how an unknown class is stored
            raise DatasetError(f"{where}: row {row} has no {name}")
    return np.asarray(values)


def _images(table: Any, where: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:  # noqa: ANN401 - as `_download`
    """Every picture, uint8 (n, 28, 28), and bool (n,), which of them show ink; the others are undefined."""
    import datasets  # type: ignore[import-untyped]

    from handfed.clients.edge.pictures import read_picture

    files = table.select_columns(["image"]).cast_column("image", datasets.Image(decode=False))
    images = np.zeros((len(table), SIDE, SIDE), np.uint8)
    with_ink = np.zeros(len(table), np.bool_)
    every = (file for batch in files.iter(_BATCH) for file in batch["image"])
    for row, file in enumerate(every):
        if not file or not file["bytes"]:
            raise DatasetError(f"{where}: row {row} has no picture")
        try:
            pixels = read_picture(file["bytes"], where=f"{where}: row {row}")
        except ImageError as error:
            raise DatasetError(str(error)) from error
        with contextlib.suppress(ImageError):
            images[row], with_ink[row] = normalise(pixels), True
    return images, with_ink


FEMNIST: Final = Femnist()
