"""What the scheme `feature:STYLE` makes of images: each device's own pen, scanner or paper.

Rules:
1. A style follows from the scheme, the number of devices and the seed alone.
2. Devices' styles are spread over the whole range of each trait (a Latin hypercube: McKay, Beckman and Conover 1979,
   Technometrics 21(2)), so that three devices differ as much as three can.
3. A style is that of all a device's images, held out or not.
4. Images are normalised after they are styled, as every picture is on its way into a device. That undoes much: shade
   and contrast altogether. What is left is what devices really differ in. Lines on paper that are as strong as ink
   (`handfed.shared.images`: 32 grey levels) count as ink, and the character between them comes out smaller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from handfed.shared.datasets import Dataset
from handfed.shared.errors import SettingError
from handfed.shared.images import normalise_all
from handfed.simulations import styles
from handfed.simulations.partition.features import Feature, Kind
from handfed.simulations.partition.parsing import parse_scheme
from handfed.simulations.partition.partition import Partition
from handfed.simulations.styles import Images

_THIRD: Final = 2  # of the streams that a seed gives rise to; `partition.split` uses the others

# From where to where each trait goes.
_TRAITS: Final[Mapping[Kind, Mapping[str, tuple[float, float]]]] = {
    "pen": {"stroke": (-1.6, 2.0)},
    "scanner": {"blur": (0.0, 0.9), "contrast": (1.0, 0.6), "noise": (0.0, 0.03)},
    "paper": {"shade": (0.0, 90.0), "grain": (0.0, 9.0), "lines": (0.0, 60.0), "spacing": (6.0, 12.0)},
}


@dataclass(frozen=True)
class Style:
    """How the images of a device look; without arguments, as they were.

    Attributes:
        stroke: How much wider strokes are, in pixels; negative for thinner.
        shade: Of the paper, in grey levels.
        grain: Of the paper, standard deviation in grey levels.
        lines: Of the paper, in grey levels over it; 0 for none.
        spacing: From one line to the next, in pixels.
        blur: Standard deviation, in pixels.
        contrast: Of ink to paper, a fraction of what it was.
        noise: Standard deviation, a fraction of full ink.
    """

    stroke: float = 0.0
    shade: float = 0.0
    grain: float = 0.0
    lines: float = 0.0
    spacing: float = 8.0
    blur: float = 0.0
    contrast: float = 1.0
    noise: float = 0.0

    def apply(self, images: Images, rng: np.random.Generator) -> Images:
        """Images as they are written with this pen on this paper and then scanned, uint8 (n, height, width)."""
        if self.stroke:
            images = styles.stroke_width(images, self.stroke)
        if self.lines:
            images = styles.ruled(images, self.lines, round(self.spacing), rng)
        if self.shade or self.grain:
            images = styles.on_paper(images, self.shade, self.grain, rng)
        if self.blur:
            images = styles.blurred(images, self.blur)
        if self.contrast < 1:
            images = styles.faded(images, self.contrast)
        return styles.noisy(images, self.noise, rng) if self.noise else images

    def in_words(self) -> str:
        """What is special about it, such as `strokes 1.2 px wider`."""
        stroke, paper, grain = f"{abs(self.stroke):.1f}", self.shade / styles.INK, self.grain / styles.INK
        figures = (
            (stroke, "strokes {} px " + ("wider" if self.stroke > 0 else "thinner")),
            (f"{paper:.0%}", "paper {} grey"),
            (f"{grain:.1%}", "grain {}"),
            (f"{self.lines / styles.INK:.0%}", f"lines of {{}} every {self.spacing:.0f} px"),
            (f"{self.blur:.1f}", "blur {} px"),
            (f"{self.contrast:.0%}", "contrast {}"),
            (f"{self.noise:.1%}", "noise {}"),
        )
        nothing = {"0.0", "0%", "0.0%", "100%"}
        return ", ".join(text.format(figure) for figure, text in figures if figure not in nothing) or "as written"


def styles_of(scheme: str, devices: int, seed: int) -> tuple[Style, ...]:
    """The style of each device; empty for a scheme under which images stay as they are.

    Args:
        scheme: As on the command line.
        devices: How many there are.
        seed: That of the partition.

    Raises:
        SettingError: There is no such scheme.
    """
    parsed = parse_scheme(scheme)
    if not isinstance(parsed, Feature):
        return ()
    traits = _TRAITS[parsed.kind]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_THIRD,)))
    step = rng.permuted(np.tile(np.arange(devices), (len(traits), 1)), axis=1)  # (traits, devices)
    place = (step + rng.random(step.shape)) / devices  # each row has one figure in each of `devices` equal parts of 0-1
    return tuple(
        Style(
            **{name: low + (high - low) * float(at) for (name, (low, high)), at in zip(traits.items(), of, strict=True)}
        )
        for of in place.T
    )


def styled(dataset: Dataset, partition: Partition, scheme: str, seed: int) -> Dataset:
    """The data set as its devices' images look under a scheme; call it once, after `split`.

    Args:
        dataset: What was dealt out.
        partition: By which.
        scheme: As on the command line.
        seed: That of the partition.

    Returns:
        Under `feature:STYLE` the data set with other images, normalised again; under other schemes the one it was.

    Raises:
        SettingError: There is no such scheme, or it does not go with words and lines.
    """
    of_devices = styles_of(scheme, partition.devices, seed)
    if not of_devices:
        return dataset
    if dataset.samples.are_texts:
        raise SettingError(f"partition {scheme!r} is of single characters; choose another for words and lines")
    images = np.empty_like(dataset.images)
    for device, style in enumerate(of_devices):
        rows = np.flatnonzero(partition.device == device)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_THIRD, device)))
        images[rows] = normalise_all(style.apply(dataset.images[rows], rng))
    return dataclasses.replace(dataset, samples=dataclasses.replace(dataset.samples, images=images))
