"""What a report is made from, as values.

Classes are positions in the data set's alphabet. Devices are counted from 0 here and from 1 on the page, as the
rounds count them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handfed.server.runs.schemas import RoundResult
from handfed.shared import targets
from handfed.shared.datasets import Dataset
from handfed.shared.samples import Samples
from handfed.simulations.decoders import Decoders
from handfed.simulations.faults import Faults, Lie
from handfed.simulations.readings import Readings


@dataclass(frozen=True)
class Misbehaviour:
    """The faults that a scenario has on purpose.

    Attributes:
        faults: How many of the devices lie, and how many of a round's answers never come or come too late.
        liars: The devices that lie in every round, and how.
        inspected: Whether the server saw single updates, so that the rounds tell whose were used.
    """

    faults: Faults
    liars: Mapping[int, Lie]
    inspected: bool


@dataclass(frozen=True)
class Robustness:
    """What the INT8 file reads right of held-out images that are deformed.

    Attributes:
        images: How many images were read under each deformation, at least 1.
        accuracies: Fractions by deformation, in the order of the page; `robustness.AS_WRITTEN` is the first.
        examples: One image under each, uint8 (height, width), in the order of `accuracies`.
        of_texts: Whether they are of words or lines.
    """

    images: int
    accuracies: Mapping[str, float]
    examples: Sequence[NDArray[np.uint8]]
    of_texts: bool = False


@dataclass(frozen=True)
class Report:
    """A simulation, as its report tells it; a figure that was not measured is None.

    Attributes:
        title: Heading of the page.
        run: Number of the run on record.
        release: Number of the release it published; None where it published none.
        command: The command that ran it.
        settings: Every setting by name, as JSON can hold it; `seed` among them.
        dataset: The handwriting; of it the page uses name, alphabet, source and licence.
        partition_scheme: How the handwriting was shared out among devices, in a few words.
        split_by: What was held out: single images, or all images of some writers.
        rounds: The rounds, in order.
        label_counts: int64 (devices, classes), training samples a device and class; of texts, their characters.
        readings: What was read of held-out samples; may hold none.
        held_out: The samples that `readings` is about, in its order.
        accuracy_float: Of the float model, a fraction: of texts, 1 less the character error rate.
        accuracy_int8: Of the INT8 file, a fraction.
        accuracy_calibrated: Of INT8 by calibration alone, without quantization-aware rounds, a fraction.
        size_bytes: Of the INT8 file.
        latency_ms: To read one image with it.
        wall_s: How long the simulation took.
        peak_memory_bytes: The most memory that it took.
        weights_sha256: SHA-256 of the weights that its file was made of, in hex.
        refused: Why nothing was published; None where nothing was refused.
        styles: What is special about how each device's images look, in a few words; empty where devices do not differ.
        misbehaviour: Its faults on purpose; None where everything goes well.
        robustness: On deformed images.
        decoders: How decoders read held-out words or lines; None of characters.
    """

    title: str
    run: int
    release: int | None
    command: str
    settings: Mapping[str, object]
    dataset: Dataset
    partition_scheme: str
    split_by: Literal["image", "writer"]
    rounds: Sequence[RoundResult]
    label_counts: NDArray[np.int64]
    readings: Readings
    held_out: Samples
    accuracy_float: float | None
    accuracy_int8: float | None
    accuracy_calibrated: float | None
    size_bytes: int | None
    latency_ms: float | None
    wall_s: float | None
    peak_memory_bytes: int | None
    weights_sha256: str | None
    refused: str | None
    styles: Sequence[str] = ()
    misbehaviour: Misbehaviour | None = None
    robustness: Robustness | None = None
    decoders: Decoders | None = None

    def held_out_counts(self) -> NDArray[np.int64]:
        """int64 (devices,): held-out images a device."""
        return np.bincount(self.readings.device, minlength=len(self.label_counts))

    @property
    def of_texts(self) -> bool:
        """Whether samples are words or lines, of which accuracy counts characters."""
        return self.held_out.are_texts

    @property
    def noun(self) -> str:
        """What a sample is called."""
        return "text" if self.of_texts else "image"

    @property
    def aim(self) -> float:
        """The accuracy that is aimed at."""
        return targets.ACCURACY_OF_TEXTS if self.of_texts else targets.ACCURACY
