"""A fixed set of deformations, to tell what a model keeps of its accuracy where handwriting is not as it should be.

    rotation         15 degrees, one way or the other
    scale            0.9 to 1.1 of its size
    shift            2 pixels, in one of eight directions
    elastic          sine waves that displace by up to 2 to 4 pixels
    noise            Gaussian, standard deviation 5 % of full ink
    salt-and-pepper  2 % of the pixels are paper or full ink
    paper            on uneven paper, a quarter grey
    watermark        a ring in the paper, a quarter grey
    thin-stroke      1.6 pixels thinner
    thick-stroke     2 pixels wider
    dark-on-light    the other polarity
    all-together     every one of these; of the strokes, one by the throw of a coin

Rules:
1. The set never changes: what is added comes last, and a test holds the pixels. They follow from the image, its row and
   the seed alone. Every result is rounded to a grey level, and only sine, cosine and exponential may differ between
   processors, in the last of their 53 bits; should that ever tip a rounding, it moves one pixel by one grey level.
2. A picture is normalised before it is read, as on a device: that undoes polarity and shift wholly and scale almost,
   and it is part of what is measured. Without it, the model is measured alone.
3. A picture that normalisation refuses because it shows no ink is one that was not read.
4. Words and lines are deformed in the same ways, each with paper around it, but turned by 4 degrees and not by 15: no
   page lies so askew in a scanner, and a line that does is no line of a height of its own.

Source: after Mu and Gilmer 2019, MNIST-C, arXiv:1906.02337.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared import strips
from handfed.shared.errors import DatasetError, ImageError
from handfed.shared.images import normalise
from handfed.shared.litert import Int8Model
from handfed.shared.reading import read
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Transcripts
from handfed.simulations import styles
from handfed.simulations.styles import Images

AS_WRITTEN: Final = "as-written"  # what `accuracies` calls images that nothing was done to

Labels = NDArray[np.int32]
Reader = Callable[[Images], Labels]
Drawn = NDArray[np.float64]  # a figure for each image
_Deformation = Callable[[Images, np.random.Generator], Images]
_DIRECTIONS: Final = np.array([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)], np.float64)


def _turn(count: int, rng: np.random.Generator, degrees: float = 15.0) -> dict[str, Drawn]:
    return {"degrees": np.where(rng.random(count) < 0.5, -degrees, degrees)}  # noqa: PLR2004 - a coin


def _size(count: int, rng: np.random.Generator) -> dict[str, Drawn]:
    return {"scale": 0.9 + 0.2 * rng.random(count)}


def _offset(count: int, rng: np.random.Generator) -> dict[str, Drawn]:
    down, right = 2.0 * _DIRECTIONS[rng.integers(0, len(_DIRECTIONS), count)].T
    return {"down": down, "right": right}


def _rotation(images: Images, rng: np.random.Generator, degrees: float = 15.0) -> Images:
    return styles.affine(images, **_turn(len(images), rng, degrees))


def _scale(images: Images, rng: np.random.Generator) -> Images:
    return styles.affine(images, **_size(len(images), rng))


def _shift(images: Images, rng: np.random.Generator) -> Images:
    return styles.affine(images, **_offset(len(images), rng))


def _rotation_scale_and_shift(images: Images, rng: np.random.Generator, degrees: float = 15.0) -> Images:
    """In one go, as each time that an image is sampled blurs it."""
    count, (turn, size, offset) = len(images), rng.spawn(3)
    drawn = (_turn(count, turn, degrees), _size(count, size), _offset(count, offset))
    return styles.affine(images, **drawn[0], **drawn[1], **drawn[2])


def _elastic(images: Images, rng: np.random.Generator) -> Images:
    amplitude, phase = rng.spawn(2)
    return styles.waved(images, 2 + 2 * amplitude.random(len(images)), phase)


def _noise(images: Images, rng: np.random.Generator) -> Images:
    return styles.noisy(images, 0.05, rng)


def _salt_and_pepper(images: Images, rng: np.random.Generator) -> Images:
    return styles.salt_and_pepper(images, 0.02, rng)


def _paper(images: Images, rng: np.random.Generator) -> Images:
    return styles.on_paper(images, 64, 8, rng)


def _watermark(images: Images, rng: np.random.Generator) -> Images:
    return styles.watermarked(images, 64, rng)


def _thin_stroke(images: Images, _rng: np.random.Generator) -> Images:
    return styles.stroke_width(images, -1.6)


def _thick_stroke(images: Images, _rng: np.random.Generator) -> Images:
    return styles.stroke_width(images, 2.0)


def _dark_on_light(images: Images, _rng: np.random.Generator) -> Images:
    return styles.negative(images)


def _either_stroke(images: Images, rng: np.random.Generator) -> Images:
    thin = rng.integers(0, 2, (len(images), 1, 1)) == 0
    return np.where(thin, _thin_stroke(images, rng), _thick_stroke(images, rng))


def _all_together(images: Images, rng: np.random.Generator, degrees: float = 15.0) -> Images:
    """In the order in which it happens: the hand, the pen, the paper, the camera."""
    in_turn: tuple[_Deformation, ...] = (partial(_rotation_scale_and_shift, degrees=degrees), *_IN_TURN)
    for each, own in zip(in_turn, rng.spawn(len(in_turn)), strict=True):
        images = each(images, own)
    return images


_IN_TURN: Final[tuple[_Deformation, ...]] = (
    _elastic,
    _either_stroke,
    _watermark,
    _paper,
    _noise,
    _salt_and_pepper,
    _dark_on_light,
)
_DEFORMATIONS: Final[Mapping[str, _Deformation]] = {
    "rotation": _rotation,
    "scale": _scale,
    "shift": _shift,
    "elastic": _elastic,
    "noise": _noise,
    "salt-and-pepper": _salt_and_pepper,
    "paper": _paper,
    "watermark": _watermark,
    "thin-stroke": _thin_stroke,
    "thick-stroke": _thick_stroke,
    "dark-on-light": _dark_on_light,
    "all-together": _all_together,
}
DEFORMATIONS: Final = tuple(_DEFORMATIONS)
_OF_TEXTS: Final[Mapping[str, _Deformation]] = {
    **_DEFORMATIONS,
    "rotation": partial(_rotation, degrees=4.0),
    "all-together": partial(_all_together, degrees=4.0),
}
_MARGIN: Final = 12  # pixels of paper around a text


def deformed(images: Images, seed: int = 0) -> dict[str, Images]:
    """The images under each of `DEFORMATIONS`, not normalised.

    Args:
        images: uint8 (n, 28, 28), normalised.
        seed: At least 0.

    Returns:
        For each name uint8 (n, 28, 28).
    """
    return {
        name: deform(images, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(position,))))
        for position, (name, deform) in enumerate(_DEFORMATIONS.items())
    }


def accuracies(
    model: Int8Model | Reader, images: Images, labels: Labels, *, seed: int = 0, normalised: bool = True
) -> dict[str, float]:
    """What a model reads right of the images as they are, and under each deformation.

    Args:
        model: A published model, or a function from images uint8 (n, 28, 28) to labels int (n,).
        images: uint8 (n, 28, 28), normalised; such as no device trains on.
        labels: int32 (n,), what was written.
        seed: Of the deformations.
        normalised: Whether pictures are normalised before they are read, as a device does.

    Returns:
        Fractions: `AS_WRITTEN` first, then those of `DEFORMATIONS`.

    Raises:
        DatasetError: There is no image.
        ManifestError: The model breaks as it runs.
    """
    if not len(images):
        raise DatasetError("there is no image to deform; hold out some")
    reader = _reader(model)
    pictures = {AS_WRITTEN: images, **deformed(images, seed)}
    return {name: _accuracy(reader, each, labels, normalised=normalised) for name, each in pictures.items()}


def texts(samples: Samples, seed: int = 0) -> dict[str, list[Images]]:
    """Words or lines as they are and under each of `DEFORMATIONS`, not normalised.

    Args:
        samples: Normalised words or lines.
        seed: At least 0.

    Returns:
        For each name, `AS_WRITTEN` first, every text as uint8 (height, width).
    """
    strips_of = (samples.take(np.array([row])) for row in range(len(samples)))
    written = [np.pad(each.images[0, :, : _width(each)], _MARGIN) for each in strips_of]
    found = {AS_WRITTEN: written}
    for position, (name, deform) in enumerate(_OF_TEXTS.items()):
        rngs = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(position,))).spawn(len(written))
        found[name] = [deform(text[None], rng)[0] for text, rng in zip(written, rngs, strict=True)]
    return found


def _width(sample: Samples) -> int:
    return sample.images.shape[2] if sample.widths is None else int(sample.widths[0])


def text_accuracies(model: Int8Model, samples: Samples, *, seed: int = 0) -> dict[str, float]:
    """What a model reads right of words or lines as they are, and under each deformation.

    Args:
        model: A published model.
        samples: Normalised words or lines, such as no device trains on.
        seed: Of the deformations.

    Returns:
        Fractions, 1 less the character error rate and at least 0: `AS_WRITTEN` first, then those of `DEFORMATIONS`.

    Raises:
        DatasetError: There is no text.
        ManifestError: The model breaks as it runs.
    """
    if not len(samples):
        raise DatasetError("there is no text to deform; hold out some")
    written = samples.written()
    return {
        name: max(1 - Transcripts(written, _read(model, pictures)).cer, 0.0)
        for name, pictures in texts(samples, seed).items()
    }


def _read(model: Int8Model, pictures: list[Images]) -> list[list[int]]:
    """What is read of each picture, once it is normalised; nothing of one that shows no ink."""
    rows, seen = [], []
    for row, picture in enumerate(pictures):
        with suppress(ImageError):
            seen.append(strips.normalise(picture, model.height))
            rows.append(row)
    found: list[list[int]] = [[] for _ in pictures]
    if seen:
        for row, text in zip(rows, read(model, Samples.of_texts(seen, [[0]] * len(seen))), strict=True):
            found[row] = text
    return found


def _reader(model: Int8Model | Reader) -> Reader:
    if isinstance(model, Int8Model):
        return lambda images: model.logits(images).argmax(axis=1).astype(np.int32)
    return model


def _accuracy(reader: Reader, pictures: Images, labels: Labels, *, normalised: bool) -> float:
    legible = np.ones(len(pictures), np.bool_)
    if normalised:
        seen = np.zeros_like(pictures)
        for row, picture in enumerate(pictures):
            try:
                seen[row] = normalise(picture)
            except ImageError:
                legible[row] = False
        pictures = seen
    return float(((reader(pictures) == labels) & legible).mean())
