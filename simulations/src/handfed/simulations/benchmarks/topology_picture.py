"""What topology marks beside the ink: `docs/pictures/topology.png`.

Run in the checkout: `python -m handfed.simulations.benchmarks.topology_picture`. Above, a digit of MNIST for each
class; below, the same with holes in blue and the ends of strokes in orange. The same libraries give the same picture.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from handfed.shared.errors import HandfedError
from handfed.shared.geometry import SIDE
from handfed.shared.planes import seen
from handfed.simulations.datasets.mnist5k import MNIST5K

PICTURE: Final = Path("docs/pictures/topology.png")
ZOOM: Final = 3  # pixels of the picture, of a pixel of an image
GAP: Final = 6  # pixels between images
COLOURS: Final = ((29, 111, 147), (194, 114, 46))  # holes, ends
INK: Final = 0.45  # of black, where marks lie on it


def run(directory: Path, console: Console) -> None:  # noqa: ARG001 - as every benchmark
    """Draws the picture, and prints how often digits have a hole.

    Raises:
        HandfedError: There is no `docs/pictures` here.
    """
    if not PICTURE.parent.is_dir():
        raise HandfedError(f"there is no folder {PICTURE.parent} to draw into; change to the checkout of Handfed")
    draw().save(PICTURE, optimize=True)
    console.print(f"Drew {PICTURE}.")
    digits = MNIST5K.load()
    holes = seen(digits.images, ("topology",))[..., 1].max(axis=(1, 2)) > 0
    table = Table("digit", "with a hole", caption=f"Of {len(digits):,} digits.")
    for label, name in enumerate(digits.alphabet.names):
        table.add_row(name, f"{holes[digits.labels == label].mean():.1%}")
    console.print(table)


def draw() -> Image.Image:
    """The picture: two rows, a column a class."""
    digits = MNIST5K.load()
    pictures = seen(digits.images[np.unique(digits.labels, return_index=True)[1]], ("topology",))
    step = SIDE * ZOOM + GAP
    sheet = Image.new("RGB", (GAP + len(pictures) * step, GAP + 2 * step), "white")
    for column, (ink, *marks) in enumerate(np.moveaxis(pictures, 3, 1)):
        above = np.repeat(255 - ink[..., None], 3, axis=2)
        below = np.rint(255 - INK * ink[..., None].astype(np.float64)).astype(np.uint8).repeat(3, axis=2)
        for mark, colour in zip(marks, COLOURS, strict=True):
            below[mark > 0] = colour
        for row, tile in enumerate((above, below)):
            large = Image.fromarray(tile).resize((SIDE * ZOOM, SIDE * ZOOM), Image.Resampling.NEAREST)
            sheet.paste(large, (GAP + column * step, GAP + row * step))
    return sheet


def main() -> int:
    """As the benchmark, by itself."""
    with tempfile.TemporaryDirectory() as directory:
        run(Path(directory), Console(width=110))
    return 0


if __name__ == "__main__":
    sys.exit(main())
