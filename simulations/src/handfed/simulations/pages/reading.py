"""What a page reads, beside what Python reads of the same pictures: the figures and the tests of reading in a browser.

The page's own modules are asked, `reading/reader.js` and the worker behind it, with pictures as grey pixels.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handfed.shared.browser_twin import browser_twin
from handfed.shared.geometry import SIDE
from handfed.shared.images import normalise
from handfed.shared.litert import Int8Model

if TYPE_CHECKING:
    from playwright.sync_api import Page

Picture = NDArray[np.uint8]
_BATCH: Final = 250
_LEAST_CONTRAST: Final = 80
_OPEN: Final = """async ({model, classes}) => {
    const { Reader } = await import(new URL("reading/reader.js", document.baseURI).href);
    const alphabet = Array.from({length: classes}, (_, label) => String(label));
    const bytes = Uint8Array.from(atob(model), (each) => each.charCodeAt(0));
    window.tried = await new Reader({alphabet, temperature: 1}).open(bytes.buffer);
}"""
_READ: Final = """async ({pixels, sizes}) => {
    const all = Uint8Array.from(atob(pixels), (each) => each.charCodeAt(0));
    let at = 0;
    const pictures = sizes.map(([width, height]) => ({width, height, grey: all.slice(at, (at += width * height))}));
    const began = performance.now();
    const found = await window.tried.readAll(pictures);
    const ms = performance.now() - began;
    const text = (bytes) => bytes.reduce((joined, each) => joined + String.fromCharCode(each), "");
    return {
        ms,
        pictures: btoa(found.map((each) => text(each.picture)).join("")),
        logits: found.map((each) => Array.from(each.logits)),
    };
}"""


@dataclass(frozen=True)
class Compared:
    """What came of reading the same pictures in a browser and here.

    Attributes:
        pictures: How many.
        other_pixels: Of them, how many were normalised to other pixels.
        other_logits: How many got other output integers.
        other_labels: How many were read as something else.
        unexplained: Of these, how many although the two best outputs here are more than one step apart.
        ms: What one took in the browser, of its batch.
    """

    pictures: int
    other_pixels: int
    other_logits: int
    other_labels: int
    unexplained: int
    ms: float


def compare(page: Page, model: bytes, pictures: Sequence[Picture]) -> Compared:
    """Reads pictures in a page of the site and here.

    Args:
        page: A page of the site, with or without somebody logged in.
        model: The release's `.tflite` file, of characters that are seen by their ink alone.
        pictures: uint8 (height, width) each, grey, with ink on them.
    """
    here = Int8Model(model)
    normalised = np.stack([normalise(picture) for picture in pictures])
    steps, zero = np.rint(here.logits(normalised) / here.output_step).astype(np.int64), here.quantization[1][1]
    page.evaluate(_OPEN, {"model": base64.b64encode(browser_twin(model)).decode(), "classes": here.outputs})
    found = [_read(page, pictures[first : first + _BATCH]) for first in range(0, len(pictures), _BATCH)]
    seen = np.concatenate([each for each, _, _ in found])
    logits = np.concatenate([each for _, each, _ in found]) - (zero + 128)
    two_best = np.sort(steps, axis=1)[:, -2:]
    is_other = logits.argmax(axis=1) != steps.argmax(axis=1)
    return Compared(
        len(pictures),
        int((seen != normalised).any(axis=(1, 2)).sum()),
        int((logits != steps).any(axis=1).sum()),
        int(is_other.sum()),
        int((is_other & (two_best[:, 1] - two_best[:, 0] > 1)).sum()),
        sum(ms for _, _, ms in found) / len(pictures),
    )


def _read(page: Page, pictures: Sequence[Picture]) -> tuple[Picture, NDArray[np.int64], float]:
    """Pictures as a page normalised them, its output integers, and the milliseconds that they took together."""
    found = page.evaluate(
        _READ,
        {
            "pixels": base64.b64encode(b"".join(picture.tobytes() for picture in pictures)).decode(),
            "sizes": [[picture.shape[1], picture.shape[0]] for picture in pictures],
        },
    )
    seen = np.frombuffer(base64.b64decode(found["pictures"]), np.uint8).reshape(-1, SIDE, SIDE)
    return seen, np.array(found["logits"], np.int64), float(found["ms"])


def enlarged(images: Picture, seed: int) -> list[Picture]:
    """The same characters as a scan or a phone might show them: larger, on a sheet, of any polarity, not quite even.

    Args:
        images: uint8 (n, 28, 28), white on black.
        seed: Of size, place, shades and noise.

    Returns:
        uint8 (height, width) each, 40 to 240 pixels a side.
    """
    random = np.random.default_rng(seed)
    return [_enlarged(image, random) for image in images]


def _enlarged(image: Picture, random: np.random.Generator) -> Picture:
    size = (int(random.integers(28, 160)), int(random.integers(28, 160)))
    ink = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC), np.float64) / 255
    sheet = np.zeros((ink.shape[0] + int(random.integers(12, 80)), ink.shape[1] + int(random.integers(12, 80))))
    top = int(random.integers(4, sheet.shape[0] - ink.shape[0] - 4))
    left = int(random.integers(4, sheet.shape[1] - ink.shape[1] - 4))
    sheet[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    paper, pen = sorted(random.choice(np.arange(0, 256, 5), 2, replace=False), key=lambda _: random.random())
    if abs(int(paper) - int(pen)) < _LEAST_CONTRAST:
        paper, pen = 250, 20
    noisy = paper + (pen - paper) * sheet + random.normal(0, random.uniform(0, 3), sheet.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)
