"""`docs/pictures/forms.png`: a form that was photographed badly, and what is cut out of it.

`python -m handfed.simulations.benchmarks forms-picture`, in the checkout. The digits are MNIST's.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from rich.console import Console

from handfed.clients.device.forms import layout, sheets
from handfed.clients.device.forms.contact import contact_sheets
from handfed.clients.device.forms.samples import read_forms
from handfed.simulations.benchmarks.filled_forms import Style, fill, photograph, printed
from handfed.simulations.datasets.mnist5k import MNIST5K

PICTURE: Final = Path("docs/pictures/forms.png")
STYLE: Final = Style("on a desk", (1400, 1400), 0.08, 5, 0.55, (0.5, 0.7), 0.6, (80, 90), lens=True)
_SEED: Final = 14
_HEIGHT: Final = 620


def run(directory: Path, console: Console) -> None:
    """Draws the picture."""
    random = np.random.default_rng(_SEED)
    handwriting = MNIST5K.load()
    (page,) = sheets.deal(
        handwriting.alphabet.names,
        repeat=10,
        writer="Zoe Miller",
        paper=layout.PAPERS["a4"],
        kind=layout.KINDS["characters"],
        seed=_SEED,
    )
    photo = directory / "IMG_2041.jpg"
    photo.write_bytes(
        photograph(fill(printed([page])[0], page, handwriting, STYLE, random).picture, STYLE, random).file
    )
    (contact,) = contact_sheets(read_forms([photo]))
    with Image.open(photo) as left, Image.open(io.BytesIO(contact)) as right:
        halves = [_of_height(each.convert("RGB")) for each in (left, right)]
    whole = Image.new("RGB", (sum(half.width for half in halves) + 20, _HEIGHT), "white")
    whole.paste(halves[0], (0, 0))
    whole.paste(halves[1], (halves[0].width + 20, 0))
    whole.quantize(96, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    console.print(f"{PICTURE} is drawn")


def _of_height(picture: Image.Image) -> Image.Image:
    """The picture upright, scaled to `_HEIGHT`."""
    return picture.resize((round(picture.width * _HEIGHT / picture.height), _HEIGHT), Image.Resampling.LANCZOS)
