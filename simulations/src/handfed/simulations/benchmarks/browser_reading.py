"""Reading in a browser beside reading in Python: the same pixels, the same outputs, and how long a character takes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from handfed.clients.datasets import read
from handfed.shared.manifest import read_release
from handfed.simulations.benchmarks.start_up import release_in
from handfed.simulations.benchmarks.writers_of_mnist import DATA
from handfed.simulations.datasets.mnist5k import images_as_they_are
from handfed.simulations.pages.browser import NoBrowserError, browser, page_of
from handfed.simulations.pages.hosting import hosted
from handfed.simulations.pages.reading import compare, enlarged

MS_AIM: Final = 30.0
_OF_WRITERS: Final = 2000


def run(directory: Path, console: Console) -> None:
    """Compares over MNIST's 5,000 digits in two renderings, and over digits of other writers where they are here."""
    _, model = read_release(release_in(directory))
    table = Table(
        "pictures",
        "number",
        "other pixels",
        "other outputs",
        "read otherwise",
        "ms each",
        caption=f"in Chromium, in batches of 250, with normalisation; at most {MS_AIM:.0f} ms",
    )
    try:
        with hosted(directory / "site") as host, browser() as opened, page_of(opened) as page:
            page.goto(host.url)
            for name, pictures in _renderings().items():
                found = compare(page, model, pictures)
                counts = (found.pictures, found.other_pixels, found.other_logits, found.other_labels)
                table.add_row(name, *map(str, counts), f"{found.ms:.1f}")
    except NoBrowserError as error:
        console.print(f"not measured: {error}")
        return
    console.print(table)


def _renderings() -> dict[str, list[NDArray[np.uint8]]]:
    images = images_as_they_are()
    found = {"MNIST, as it is": list(images), "MNIST, enlarged on a sheet": enlarged(images, seed=1)}
    if DATA.exists():
        others = read(str(DATA), "digits")
        rows = np.random.default_rng(0).permutation(len(others))[:_OF_WRITERS]
        found["539 writers, enlarged on a sheet"] = enlarged(others.images[rows], seed=2)
    return found
