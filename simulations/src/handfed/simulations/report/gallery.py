"""Pictures of handwriting, small enough to stand within the page: misread ones, one a device, one a deformation.

A picture is a PNG whose ink is black and whose paper is transparent: its opacity is the ink, so that the page can show
it on its own paper, and turn it round in the dark.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from handfed.simulations.report.charts.grid import NOTHING
from handfed.simulations.report.charts.robustness import in_words
from handfed.simulations.report.contents import Report, Robustness
from handfed.simulations.robustness import AS_WRITTEN

MOST: Final = 24
_MOST_NARROW: Final = 3  # characters of a class's name under a narrow picture
_WIDEST_STRIP: Final = 480  # pixels: of wider ones each has a row to itself
_DEFORMATIONS: Final[Mapping[str, str]] = {
    AS_WRITTEN: "nothing is done",
    "rotation": "15 degrees, one way or the other",
    "scale": "to 90 to 110% of its size",
    "shift": "by 2 pixels",
    "elastic": "waves that displace by up to 2 to 4 pixels",
    "noise": "Gaussian, 5% of full ink",
    "salt-and-pepper": "2% of the pixels are paper or full ink",
    "paper": "uneven, a quarter grey",
    "watermark": "a ring in the paper, a quarter grey",
    "thin-stroke": "1.6 pixels thinner",
    "thick-stroke": "2 pixels wider",
    "dark-on-light": "ink and paper change places",
    "all-together": "all of these; the stroke thinner or thicker",
}


@dataclass(frozen=True)
class Tile:
    """A picture with what stands under it.

    Attributes:
        picture: A PNG as a data URL (RFC 2397).
        seen: What it shows, for those who cannot see it.
        caption: What stands under it.
    """

    picture: str
    seen: str
    caption: Markup


@dataclass(frozen=True)
class Gallery:
    """Pictures beside one another.

    Attributes:
        heading: What they have in common.
        words: What to look for.
        tiles: The pictures, at least one.
        form: How wide the columns are: empty for narrow, `long` for long captions, `strips` for words, `lines` for
            lines.
    """

    heading: str
    words: str
    tiles: tuple[Tile, ...]
    form: str = ""


def misread(report: Report) -> Gallery | None:
    """Images that INT8 misread, in the order of what was written and read: all, or of many an even pick."""
    found, alphabet = report.readings.int8, report.dataset.alphabet
    wrong = np.flatnonzero(found.errors)
    if not len(wrong):
        return None
    rows = sorted(_picked(wrong), key=lambda row: (found.written[row], found.read[row]))
    tiles, longest = [], 0
    for row in rows:
        written, read = alphabet.text_of(found.written[row]), alphabet.text_of(found.read[row])
        caption = Markup("<bdi>{}</bdi> → <b><bdi>{}</bdi></b>").format(written, read or NOTHING)
        tiles.append(Tile(_data_url(report, row), f"Handwritten {written}, read as {read or NOTHING}", caption))
        longest = max(longest, len(written))
    pick = f"{len(rows)} of {len(wrong):,}, evenly picked: what" if len(rows) < len(wrong) else "What"
    form = "long" if longest > _MOST_NARROW else ""
    if report.held_out.widths is not None:
        form = "strips" if report.held_out.widths[rows].max() <= _WIDEST_STRIP else "lines"
    return Gallery(f"Misread {report.noun}s", f"{pick} was written → what INT8 read.", tuple(tiles), form)


def of_devices(report: Report) -> Gallery | None:
    """A held-out image of each device where their images look different: all devices, or of many an even pick.

    As far as they can be, the images are of one class, that which most devices have, so that only looks differ.
    """
    found = report.readings
    if not (report.styles and len(found)):
        return None
    labels = report.held_out.labels
    devices = _picked(np.unique(found.device))
    pairs = np.unique(np.stack([found.device, labels]), axis=1)
    usual = int(np.bincount(pairs[1][np.isin(pairs[0], devices)]).argmax())
    names = report.dataset.alphabet.names
    tiles = []
    for device in devices:
        row = _one_of(found.device == device, labels == usual)
        label, style = names[labels[row]], report.styles[device]
        caption = Markup("Device {}<br><small>{}</small>").format(device + 1, style)
        tiles.append(Tile(_data_url(report, row), f"Handwritten {label} on device {device + 1}: {style}", caption))
    whole = len(report.label_counts)
    pick = f" of {len(devices)} of {whole:,} devices" if len(devices) < whole else ""
    words = f"Held-out images{pick}, as the recogniser sees them."
    return Gallery("One image of each device", words, tuple(tiles), form="long")


def deformed(found: Robustness) -> Gallery:
    """One image under each deformation."""
    tiles, what = [], "text" if found.of_texts else "character"
    for name, image in zip(found.accuracies, found.examples, strict=True):
        how = _DEFORMATIONS.get(name, "")
        if found.of_texts:
            how = how.replace("15 degrees", "4 degrees")
        caption = Markup("{}<br><small>{}</small>").format(in_words(name), how)
        tiles.append(Tile(_png(image), f"One handwritten {what}: {in_words(name)}", caption))
    return Gallery(
        f"One {'text' if found.of_texts else 'image'} under each deformation",
        "As it comes to a device, before it is normalised.",
        tuple(tiles),
        form="strips" if found.of_texts else "long",
    )


def _picked(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """All of them, or of many an even pick."""
    if len(numbers) > MOST:
        numbers = numbers[np.linspace(0, len(numbers) - 1, MOST).round().astype(np.int64)]
    return numbers.astype(np.int64)


def _one_of(there: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> int:
    """The first row that is there and wanted, or else the first that is there."""
    both = there & wanted
    return int((both if both.any() else there).argmax())


def _data_url(report: Report, row: int) -> str:
    """The picture of a held-out sample."""
    sample = report.held_out.take(np.array([row]))
    image = sample.images[0]
    return _png(image if sample.widths is None else image[:, : sample.widths[0]])


def _png(image: NDArray[np.uint8]) -> str:
    """The PNG of an image, uint8 (height, width), 0 is paper and 255 is ink."""
    file = io.BytesIO()
    Image.fromarray(np.stack([np.zeros_like(image), image], axis=-1)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
