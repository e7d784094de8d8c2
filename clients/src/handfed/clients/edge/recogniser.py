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
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge import releases
from handfed.shared import images, planes, strips
from handfed.shared.alphabet import Alphabet
from handfed.shared.decoding.beam import Beam
from handfed.shared.errors import ImageError, ManifestError, MissingExtraError, SelfTestError
from handfed.shared.geometry import SIDE, Geometry
from handfed.shared.litert import Int8Model, softmax
from handfed.shared.manifest import MANIFEST, MODEL, File, Manifest, read_release
from handfed.shared.personal import PersonalLayer
from handfed.shared.reading import confidences, read
from handfed.shared.samples import Samples
from handfed.shared.tasks import Task

ALTERNATIVES: Final = 3
_Recogniser = TypeVar("_Recogniser", bound="Recogniser")


@dataclass(frozen=True)
class Reading:
    """What a recogniser says of a picture.

    Attributes:
        text: What it takes the picture for.
        confidence: Probability of that, 0 to 1.
        alternatives: The next readings with their probabilities, most probable first.
        pick: By what a person's answer refers to it, where the device picked it at random for confirmation
            (`handfed.clients.device.store.picks`).
    """

    text: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...]
    pick: str | None = None


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
        first_reading: What the first reading runs within: there a release proves itself to the store that it is of.
        personal: What this device adds to the logits of characters; None for the release as it is.

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
        self.first_reading: Callable[[], AbstractContextManager[object]] = nullcontext
        self.personal: PersonalLayer | None = None
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

    @classmethod
    def of_device(cls, folder: Path | None = None, *, threads: int = 1) -> Self:
        """Opens the release that a device is to use, as `handfed edge pull` left it.

        It is tested on this processor. One that fails, is damaged, or ended the process twice before it had read its
        first picture is given up, and the one before it is opened. It reads with the device's personal layer, where
        there is one for it.

        Args:
            folder: The device's folder; None for HANDFED_DEVICE_DIR, or ~/.local/share/handfed-device.
            threads: Threads an inference may use.

        Raises:
            ManifestError: The device holds none that works.
            MissingExtraError: LiteRT is not installed.
            StorageError: What the device holds cannot be read.
        """
        from handfed.clients.device.folder import locate
        from handfed.clients.edge.in_use import open_in_use
        from handfed.clients.edge.store import Store

        located = locate(folder)
        return open_in_use(
            Store(located), lambda release: _personal(cls.open(release, threads=threads), located, release)
        )

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
    def content(self) -> bytes:
        """The model's file."""
        return self._model.content

    @property
    def temperature(self) -> float:
        """What logits are divided by for confidences; 1 of a bare file."""
        return 1.0 if self.manifest is None else self.manifest.temperature

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
        return self.read_normalised(self.normalised(picture), alternatives=alternatives)

    def normalised(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture as it is read: uint8 (height, width).

        Args:
            picture: As `read` takes it.

        Raises:
            ImageError: The picture is of another form, or holds no ink.
        """
        if self._model.reads_texts:
            return strips.normalise(picture, self._model.height)
        return images.normalise(picture)

    def read_normalised(self, image: NDArray[np.uint8], *, alternatives: int = ALTERNATIVES) -> Reading:
        """Reads what `normalised` gave.

        Args:
            image: uint8 (height, width).
            alternatives: How many alternatives to name, at most.
        """
        return (
            self._read_text(image, alternatives)
            if self._model.reads_texts
            else self._readings(image[None], alternatives)[0]
        )

    def read_each(self, pictures: NDArray[np.uint8], *, alternatives: int = ALTERNATIVES) -> list[Reading]:
        """Reads many images of single characters at once, and says of each bit by bit what `read` says of it.

        Args:
            pictures: uint8 (n, 28, 28), normalised by `handfed.shared.images`.
            alternatives: How many alternatives to name of each, at most.

        Raises:
            ImageError: They are of another form, or the release reads words or lines.
        """
        self._check_characters(pictures)
        return self._readings(pictures, alternatives)

    def _readings(self, pictures: NDArray[np.uint8], alternatives: int) -> list[Reading]:
        probabilities = self._probabilities(self._seen(pictures))
        orders = np.argsort(-probabilities, axis=1, kind="stable")[:, : 1 + alternatives]
        readings = []
        for row, order in zip(probabilities, orders, strict=True):
            best, *others = ((self.alphabet.names[label], float(row[label])) for label in order)
            readings.append(Reading(*best, tuple(others)))
        return readings

    def _read_text(self, strip: NDArray[np.uint8], alternatives: int) -> Reading:
        """Reads a normalised word or line, uint8 (height, width)."""
        samples = Samples.of_texts([strip], [[0]])
        logits = self._logits(samples.images)[0]  # (steps, classes + 1)
        steps = int(samples.steps(samples.images.shape[2] // len(logits))[0])
        found = replace(self.decoder, alternatives=alternatives).decode(logits[:steps] / np.float32(self.temperature))
        others = ((self.alphabet.text_of(text), probability) for text, probability in found.alternatives)
        return Reading(self.alphabet.text_of(found.text), found.confidence, tuple(others))

    def transcribe(self, samples: Samples) -> list[list[int]]:
        """The classes that it reads, of each sample; of texts by the best path.

        Raises:
            ImageError: They are of another form.
        """
        return read(self._model, self._as_seen(samples))

    def logits(self, samples: Samples) -> NDArray[np.float32]:
        """Logits of characters, float32 (n, classes), as the release gives them.

        Raises:
            ImageError: They are of another form, or the release reads words or lines.
        """
        if self._model.reads_texts:
            raise ImageError(f"{self._where} reads {self.task.kind}, which have logits a step")
        return self._model.logits(self._as_seen(samples).pictures)

    def confidences(self, samples: Samples) -> NDArray[np.float64]:
        """float64 (n,): how probable what `transcribe` gives of each sample is, calibrated where the manifest says how.

        Raises:
            ImageError: They are of another form.
        """
        return confidences(self._model, self._as_seen(samples), self.temperature)

    def _as_seen(self, samples: Samples) -> Samples:
        """Samples with the planes that the model sees beside the ink.

        Raises:
            ImageError: They are of another form.
        """
        if samples.are_texts != self._model.reads_texts or samples.images.shape[1] != self._model.height:
            raise ImageError(f"these samples are not of what {self._where} reads: {self.task.kind}")
        if samples.planes is None and not samples.are_texts:
            return replace(samples, planes=self._seen(samples.images)[..., 1:])
        return samples

    def _seen(self, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the model sees of normalised pictures, uint8 (n, 28, 28): planes that need strokes stay empty."""
        return planes.seen(ink, self.inputs)

    def _probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (n, classes), calibrated where the manifest says how."""
        logits = self._logits(pictures)
        if self.personal is not None:
            logits = self.personal.apply(logits)
        return softmax(logits / np.float32(self.temperature))

    def _logits(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self.first_reading():
            logits = self._model.logits(pictures)
        self.first_reading = nullcontext
        return logits

    def read_all(self, pictures: NDArray[np.uint8]) -> Readings:
        """Reads many images of single characters.

        Args:
            pictures: uint8 (n, 28, 28), normalised by `handfed.shared.images`.

        Raises:
            ImageError: They are of another form, or the release reads words or lines.
        """
        self._check_characters(pictures)
        probabilities = self._probabilities(self._seen(pictures))
        return Readings(probabilities.argmax(axis=1).astype(np.int32), probabilities.max(axis=1, initial=0))

    def _check_characters(self, pictures: NDArray[np.uint8]) -> None:
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE) or self._model.reads_texts:
            raise ImageError(
                f"images must be uint8 (n, {SIDE}, {SIDE}), normalised, not {pictures.dtype} {pictures.shape}, and of"
                f" characters, where the release reads {self.task.kind}"
            )

    def self_test(self) -> None:
        """Checks on this processor that the model gives what its manifest says.

        Raises:
            SelfTestError: A logit is off by more than the manifest's tolerance.
            ManifestError: There is no manifest to test by.
        """
        if self.manifest is None:
            raise ManifestError(f"{self._where}: has no manifest, and so no self-test; name a release directory")
        test = self.manifest.self_test
        off = float(np.abs(self._model.logits(test.pictures) - test.logits).max())
        if off > test.tolerance:
            raise SelfTestError(
                f"{self._where}: fails its self-test here: a logit is off by {off:.3g}, more than {test.tolerance:.3g};"
                " pull the release again, or update LiteRT"
            )

    def read_self_test(self) -> None:
        """Reads one picture of the self-test, for whoever takes the time.

        Raises:
            ManifestError: There is no manifest.
        """
        if self.manifest is None:
            raise ManifestError(f"{self._where}: has no manifest, and so no self-test; name a release directory")
        self._model.logits(self.manifest.self_test.pictures[:1])


def _personal(recogniser: _Recogniser, folder: Path, release: Path) -> _Recogniser:
    """The same recogniser, with the layer that a device has learnt for it."""
    from handfed.clients.edge.personal import layer_for

    recogniser.personal = layer_for(folder, release.name, len(recogniser.alphabet))
    return recogniser


def _check(manifest: Manifest, model: bytes, where: str) -> None:
    if File.of(model) != manifest.model:
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
