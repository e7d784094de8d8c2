"""Reports of runs that never were, with figures such as real runs have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handfed.server.runs.schemas import DeviceResult, Rejection, RoundResult
from handfed.shared.alphabet import Alphabet
from handfed.shared.datasets import Dataset
from handfed.shared.run_settings import RunSettings
from handfed.shared.samples import Samples
from handfed.shared.transcripts import Transcripts
from handfed.simulations.readings import Readings
from handfed.simulations.report import Report

MakeReport = Callable[..., Report]
DIGITS = tuple("0123456789")
LETTERS = (*"abcdefghijklmnopqrstuvwxyz", " ")


def _images(random: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Strokes: a bright bar somewhere in each image."""
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        row, column = random.integers(4, 18, 2)
        image[row : row + 6, column : column + 3] = random.integers(128, 256)
    return images


def _round(number: int, rounds: int, qat: int, devices: int, samples: int) -> RoundResult:
    return RoundResult(
        number=number,
        phase="qat" if number > rounds - qat else "float",
        started_at=datetime(2025, 3, 1, 12, tzinfo=UTC),
        seconds=4.2 + number % 3,
        train_seconds=3.1 + number % 2,
        participants=devices,
        accepted=devices,
        examples=samples,
        loss=0.05 + 2.2 * 0.8**number,
        accuracy=1 - 0.012 - 0.8 * 0.6**number,
        evaluated=200,
        bytes_down=300_000 * devices,
        bytes_up=310_000 * devices,
        devices=tuple(
            DeviceResult(device + 1, 40, 0.1, 0.2, 310_000, 10, 9, 0.1 + 2 * 0.8**number) for device in range(devices)
        ),
    )


def _readings(
    random: np.random.Generator, labels: NDArray[np.int32], classes: int, devices: int, error: float
) -> Readings:
    """The last device has no held-out image, if there is another one."""
    images = len(labels)
    device = random.integers(0, max(devices - 1, 1), images).astype(np.int32)

    def read(source: NDArray[np.int32], rate: float) -> NDArray[np.int32]:
        wrong = random.random(images) < rate
        return np.where(wrong, (source + random.integers(1, classes, images)) % classes, source).astype(np.int32)

    float_readings = read(labels, error)
    return Readings(
        np.arange(images),
        Transcripts.of_characters(labels, read(float_readings, error / 4)),
        Transcripts.of_characters(labels, float_readings),
        random.beta(20, 1, images),
        device,
        (device * 3).astype(np.int32),
    )


def _strips(random: np.random.Generator, written: Sequence[Sequence[int]]) -> Samples:
    """Texts, of which each character is a bar as high as its class's number says."""
    images = []
    for text in written:
        image = np.zeros((32, 10 + 14 * len(text)), np.uint8)
        for place, label in enumerate(text):
            left = 6 + 14 * place + int(random.integers(0, 4))
            image[26 - 2 * (label % 11) - 2 : 26, left : left + 4] = random.integers(128, 256)
        images.append(image)
    return Samples.of_texts(images, [list(text) for text in written])


def _misspelt(random: np.random.Generator, text: Sequence[int], classes: int, error: float) -> list[int]:
    """A text as it is read by what errs at each character with probability `error`, in one of three ways."""
    found: list[int] = []
    for label in text:
        if random.random() >= error:
            found.append(label)
            continue
        way, other = random.integers(0, 3), int(random.integers(0, classes))
        found += ([other], [], [label, other])[way]
    return found


def _of_texts(random: np.random.Generator, readings: Readings, classes: int, error: float) -> tuple[Readings, Samples]:
    """Readings and samples of texts in place of those of characters; the first is read as nothing, if there are errors.

    The last class parts words.
    """
    written: list[list[int]] = []
    for _ in range(len(readings)):
        words = [random.integers(0, classes - 1, random.integers(2, 8)).tolist() for _ in range(random.integers(1, 4))]
        written.append([label for word in words for label in (classes - 1, *word)][1:])
    floating = [_misspelt(random, text, classes, error) for text in written]
    int8 = [_misspelt(random, text, classes, error / 4) for text in floating]
    if error:
        int8[0] = []
    read = replace(readings, int8=Transcripts(written, int8), floating=Transcripts(written, floating))
    return read, _strips(random, written)


def _report(
    *,
    devices: int = 5,
    names: Sequence[str] | None = None,
    rounds: int = 8,
    qat: int = 2,
    images: int = 400,
    error: float = 0.03,
    texts: bool = False,
    **others: Any,
) -> Report:
    random = np.random.default_rng(0)
    names = names or (LETTERS if texts else DIGITS)
    classes = len(names)
    counts = np.stack([random.multinomial(60, random.dirichlet([0.5] * classes)) for _ in range(devices)])
    labels = random.integers(0, classes, images).astype(np.int32)
    readings = _readings(random, labels, classes, devices, error)
    held_out = Samples(_images(random, images), labels)
    if texts:
        readings, held_out = _of_texts(random, readings, classes, error)
    dataset = Dataset(
        "tiny",
        Alphabet(tuple(names)),
        held_out,
        None,
        "Drawn",
        "CC0",
    )
    made = Report(
        title="A federation",
        run=7,
        release=3,
        command="handfed simulate --devices 5 --seed 11",
        settings={**RunSettings().to_mapping(), "seed": 11},
        dataset=dataset,
        partition_scheme="Dirichlet over classes, alpha 0.5",
        split_by="writer",
        rounds=[_round(number, rounds, qat, devices, int(counts.sum())) for number in range(1, rounds + 1)],
        label_counts=counts.astype(np.int64),
        readings=readings,
        held_out=held_out,
        accuracy_float=0.9934,
        accuracy_int8=0.9921,
        accuracy_calibrated=0.9815,
        size_bytes=213_456,
        latency_ms=1.274,
        wall_s=191.3,
        peak_memory_bytes=1_430_000_000,
        weights_sha256="9f" * 32,
        refused=None,
    )
    return replace(made, **others)


@pytest.fixture(scope="session")
def make_report() -> MakeReport:
    """Makes a report: by keyword, how large the run was and of what, and any field of `Report` instead of that made."""
    return _report


@pytest.fixture
def rejection() -> Rejection:
    return Rejection(3, "not-finite", "array 4 holds NaN")
