"""Reading pictures of handwritten characters with a release.

Rules:
1. A release is used whole or not at all: the model is the one its manifest names (SHA-256), has as many outputs as the
   alphabet has classes, and takes the images that this software makes.
2. A confidence is the softmax of the logits divided by the release's temperature, which makes it as often right as it
   says (`handfed.shared.calibration`). Of a word or line, it is summed over all ways to say that text.
3. A bare `.tflite` file says nothing of its alphabet: its classes are named "0", "1" and so on, in the order of its
   outputs. A `model.tflite` beside a manifest is no bare file: it is opened as that release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge import releases
from handfed.shared import images, planes, strips
from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding.beam import Beam
from handfed.shared.errors import ImageError, ManifestError, MissingExtraError
from handfed.shared.files import sha256_of
from handfed.shared.geometry import SIDE, Geometry
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.manifest import MANIFEST, MODEL, Manifest, read_release
from handfed.shared.reading import read
from handfed.shared.samples import Samples
from handfed.shared.tasks import Task

ALTERNATIVES: Final = 3


@dataclass(frozen=True)
class Reading:
    """What a recogniser says of a picture.

    Attributes:
        text: What it takes the picture for.
        confidence: Probability of that, 0 to 1.
        alternatives: The next readings with their probabilities, most probable first.
    """

    text: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Readings:
    """What a recogniser says of many images.

    Attributes:
        labels: int32 (n,), the class of each image, a position in the recogniser's alphabet.
        confidences: float32 (n,), the probability of that class.
    """

    labels: NDArray[np.int32]
    confidences: NDArray[np.float32]


class Recogniser:
    """A release, ready to read; for one thread at a time.

    >>> from pathlib import Path
    >>> from handfed.clients.edge import Recogniser, read_picture
    >>> recogniser = Recogniser.newest(Path("handfed-data"))
    >>> recogniser.read(read_picture(Path("seven.png"), where="seven.png")).text
    '7'

    Attributes:
        alphabet: The classes that it tells apart.
        manifest: What is known of the release; None of a bare `.tflite` file.
        size_bytes: Size of the model file.
        decoder: How words and lines are read from the model's outputs.

    Args:
        described_by: The manifest; or the alphabet alone; or None, and the classes are named by their numbers.
        model: The `.tflite` file.
        threads: Threads an inference may use.
        where: What is loaded, for the message of an error.

    Raises:
        ManifestError: The model is none, or not the one that is described, or needs a newer LiteRT.
        MissingExtraError: LiteRT is not installed.
    """

    def __init__(
        self, described_by: Manifest | Alphabet | None, model: bytes, *, threads: int = 1, where: str = "model"
    ) -> None:
        self._where = where
        self.decoder = Beam()
        self.manifest = described_by if isinstance(described_by, Manifest) else None
        if self.manifest is not None:
            _check(self.manifest, model, where)
        self._model = Int8Model(model, threads=threads, where=where)
        self.size_bytes = self._model.size_bytes
        if isinstance(described_by, Manifest):
            self.alphabet = described_by.alphabet
        else:
            self.alphabet = described_by or Alphabet(tuple(map(str, range(self._classes))))
        if len(self.alphabet) != self._classes:
            raise ManifestError(
                f"{where}: the model tells {self._classes} classes apart, and {len(self.alphabet)} are named;"
                " pull the release again"
            )

    @classmethod
    def open(cls, release: Path, *, threads: int = 1) -> Self:
        """Opens a release.

        Args:
            release: A release directory, or a `.tflite` file (rule 3).
            threads: Threads an inference may use.

        Raises:
            ManifestError: A file is missing, or not what it should be.
            MissingExtraError: LiteRT is not installed.
        """
        if release.name == MODEL and (release.parent / MANIFEST).is_file():
            release = release.parent
        if release.is_dir():
            manifest, model = read_release(release)
            return cls(manifest, model, threads=threads, where=str(release))
        try:
            model = release.read_bytes()
        except OSError as error:
            raise ManifestError(
                f"{release}: cannot be read ({error.strerror}); name a release directory or a .tflite file"
            ) from error
        return cls(None, model, threads=threads, where=str(release))

    @classmethod
    def newest(cls, data_directory: Path, *, threads: int = 1) -> Self:
        """Opens the release with the highest number.

        Args:
            data_directory: As `handfed.shared.data_directory` describes it.
            threads: Threads an inference may use.

        Raises:
            ManifestError: There is none, or it is not what it should be.
            MissingExtraError: LiteRT is not installed.
            StorageError: The data directory cannot be read.
        """
        return cls.open(releases.newest(data_directory), threads=threads)

    @property
    def _classes(self) -> int:
        return self._model.outputs - self._model.reads_texts  # but for the blank

    @property
    def task(self) -> Task:
        """What it recognises; a bare file says only whether characters or words."""
        if self.manifest is not None:
            return Task(
                self.manifest.task, self.manifest.kind, recogniser=self.manifest.recogniser, height=self._model.height
            )
        if self._model.reads_texts:
            return Task("words", "words", recogniser="tcn", height=self._model.height)
        return Task("characters")

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it sees beside the ink, as `handfed.shared.inputs` names it."""
        return () if self.manifest is None else self.manifest.inputs

    @property
    def release(self) -> int | None:
        """The release's number; None of a bare `.tflite` file."""
        return None if self.manifest is None else self.manifest.release

    def read(self, picture: NDArray[np.uint8], *, alternatives: int = ALTERNATIVES) -> Reading:
        """Reads a picture: of one character, or of a word or a line, as its task says.

        Args:
            picture: uint8 (height, width), grey, of any size, dark on light or light on dark.
            alternatives: How many alternatives to name, at most.

        Raises:
            ImageError: The picture is of another form, or holds no ink.
        """
        if self._model.reads_texts:
            return self._read_text(strips.normalise(picture, self._model.height), alternatives)
        probabilities = self._probabilities(self._seen(images.normalise(picture)[None]))[0]
        order = np.argsort(-probabilities, kind="stable")[: 1 + alternatives]
        best, *others = ((self.alphabet.names[label], float(probabilities[label])) for label in order)
        return Reading(*best, tuple(others))

    def _read_text(self, strip: NDArray[np.uint8], alternatives: int) -> Reading:
        """Reads a normalised word or line, uint8 (height, width)."""
        samples = Samples.of_texts([strip], [[0]])
        logits = self._model.logits(samples.images)[0]  # (steps, classes + 1)
        steps = int(samples.steps(samples.images.shape[2] // len(logits))[0])
        found = replace(self.decoder, alternatives=alternatives).decode(logits[:steps] / np.float32(self._temperature))
        others = ((self.alphabet.text_of(text), probability) for text, probability in found.alternatives)
        return Reading(self.alphabet.text_of(found.text), found.confidence, tuple(others))

    def transcribe(self, samples: Samples) -> list[list[int]]:
        """The classes that it reads, of each sample; of texts by the best path.

        Raises:
            ImageError: They are of another form.
        """
        if samples.are_texts != self._model.reads_texts or samples.images.shape[1] != self._model.height:
            raise ImageError(f"these samples are not of what {self._where} reads: {self.task.kind}")
        if samples.planes is None and not samples.are_texts:
            samples = replace(samples, planes=self._seen(samples.images)[..., 1:])
        return read(self._model, samples)

    def _seen(self, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the model sees of normalised pictures, uint8 (n, 28, 28): planes that need strokes stay empty."""
        return planes.seen(ink, self.inputs)

    def _probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (n, classes), calibrated where the manifest says how."""
        return softmax(self._model.logits(pictures) / np.float32(self._temperature))

    @property
    def _temperature(self) -> float:
        return 1.0 if self.manifest is None else self.manifest.temperature

    def read_all(self, pictures: NDArray[np.uint8]) -> Readings:
        """Reads many images of single characters.

        Args:
            pictures: uint8 (n, 28, 28), normalised by `handfed.shared.images`.

        Raises:
            ImageError: They are of another form, or the release reads words or lines.
        """
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE) or self._model.reads_texts:
            raise ImageError(
                f"images must be uint8 (n, {SIDE}, {SIDE}), normalised, not {pictures.dtype} {pictures.shape}, and of"
                f" characters, where the release reads {self.task.kind}"
            )
        probabilities = self._probabilities(self._seen(pictures))
        return Readings(probabilities.argmax(axis=1).astype(np.int32), probabilities.max(axis=1, initial=0))

    def self_test(self) -> None:
        """Checks on this processor that the model gives what its manifest says.

        Raises:
            ManifestError: A logit is off by more than the manifest's tolerance, or there is no manifest to test by.
        """
        if self.manifest is None:
            raise ManifestError(f"{self._where}: has no manifest, and so no self-test; name a release directory")
        test = self.manifest.self_test
        off = float(np.abs(self._model.logits(test.pictures) - test.logits).max())
        if off > test.tolerance:
            raise ManifestError(
                f"{self._where}: fails its self-test here: a logit is off by {off:.3g}, more than {test.tolerance:.3g};"
                " pull the release again, or update LiteRT"
            )


def _check(manifest: Manifest, model: bytes, where: str) -> None:
    if len(model) != manifest.model_size_bytes or sha256_of(model) != manifest.model_sha256:
        raise ManifestError(f"{where}: the model is not the one of its manifest; pull the release again")
    of_texts = manifest.geometry.width is None
    square = replace(manifest.geometry, channels=1) == Geometry()
    if not (square or (of_texts and manifest.geometry.channels == 1)):
        raise ManifestError(f"{where}: takes other images than {SIDE} x {SIDE} grey or strips; update handfed")
    if manifest.self_test.logits.shape[-1] != len(manifest.alphabet) + of_texts:
        raise ManifestError(f"{where}: the self-test is of another alphabet; pull the release again")
    try:
        installed = metadata.version("ai-edge-litert")
    except metadata.PackageNotFoundError:
        raise MissingExtraError("LiteRT", "handfed-clients[edge]") from None
    if _numbers(installed) < _numbers(manifest.minimum_runtime):
        raise ManifestError(
            f"{where}: needs LiteRT {manifest.minimum_runtime} or newer, and {installed} is installed; update it with"
            " pip install --upgrade ai-edge-litert"
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The release segment of a version (PEP 440) without zeros at its end: (2, 1) of 2.1.0rc1."""
    found = re.match(r"[0-9]{1,9}(\.[0-9]{1,9})*", version)
    numbers = [int(number) for number in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
