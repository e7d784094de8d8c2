"""From trained arrays to a release: convert, check, let the devices judge, and only then publish.

Two files are judged: of the model after the quantization-aware rounds, and of the calibrated one before them. The one
that reads better is published, so that those rounds cost nothing where they did not help.

A file is refused, and nothing is published, when
1. an operator touches floating point: it would not be INT8, and slower on every device;
2. it disagrees with the quantization-aware model it was converted from, on synthetic pictures;
3. the devices find it worse than the float model by more than the margin.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord
from numpy.typing import NDArray

from handfed.server.flower.course import Course
from handfed.server.flower.exchange import record
from handfed.server.flower.queries import Verdict
from handfed.server.flower.state import Arrays, RunState
from handfed.server.releases.model_card import model_card
from handfed.server.releases.schemas import ReleaseFacts
from handfed.server.releases.selftest import pictures, texts
from handfed.server.releases.service import ReleaseRecord
from handfed.shared import images, inputs, strips
from handfed.shared.browser_twin import browser_twin
from handfed.shared.disclosure import Detail
from handfed.shared.errors import ManifestError, ReleaseRefusedError
from handfed.shared.files import sha256_of
from handfed.shared.geometry import SIDE, Geometry
from handfed.shared.litert import Int8Model
from handfed.shared.manifest import BROWSER_MODEL, MANIFEST, MODEL, MODEL_CARD, File, Manifest, SelfTest
from handfed.shared.metrics import Difference, Spread, paired_difference
from handfed.shared.tf.export import to_int8
from handfed.shared.tf.training import Trainer

SELF_TEST_PICTURES = 64
SELF_TEST_KEPT = 8  # of them travel in the manifest
SELF_TEST_TEXTS_KEPT = 2  # of texts, which are larger
# Signal-to-quantization-noise ratio of the logits, in decibels: how much of them rounding in another order may change.
LEAST_SQNR = 20.0
STEPS_OFF_ELSEWHERE = 4.0  # output steps that logits of one file may differ between processors

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Origin:
    """Where a release comes from.

    Attributes:
        run: The run that trained it.
        task: What is recognised, by name.
        kind: What a picture shows: characters, words or lines.
        licence: Licence of the model, which follows from that of the handwriting.
        split_by: What was held out whole: `image`, `writer` or `device`.
    """

    run: int
    task: str
    kind: str
    licence: str
    split_by: str


@dataclass(frozen=True)
class Judged:
    """A converted model, with the figures that speak for it.

    Attributes:
        model: The LiteRT file.
        self_test: Of the file.
        verdict: Counts of the file against the float model.
        temperature: What logits are divided by for confidences.
        weights_sha256: Of the arrays it was converted from.
        detail: How the file reads classes, where enough devices told.
    """

    model: bytes
    self_test: SelfTest
    verdict: Verdict
    temperature: float
    weights_sha256: str
    detail: Detail

    @property
    def difference(self) -> Difference:
        """Float minus INT8, as fractions of the samples; there is one at least."""
        return paired_difference(self.verdict.only_float, self.verdict.only_int8, self.verdict.samples)


@dataclass(frozen=True)
class Publication(Judged):
    """What was published, with the figures it was judged by.

    Attributes:
        number: The release.
        directory: Where its files are.
        trained: Counts of the file that the quantization-aware rounds give.
        calibrated: Counts of the file that calibration alone gives, without them.
        floating: The arrays of the float model.
    """

    number: int
    directory: Path
    trained: Verdict
    calibrated: Verdict
    floating: Arrays

    def summary(self) -> dict[str, object]:
        """The closing figures of the run, as its record keeps them; rates are fractions."""
        return {
            "release": self.number,
            "samples": self.verdict.samples,
            "accuracy_float": self.verdict.accuracy_float,
            "accuracy_int8": self.verdict.accuracy_int8,
            "accuracy_int8_quantization_aware": self.trained.accuracy_int8,
            "accuracy_int8_calibrated_only": self.calibrated.accuracy_int8,
            "float_minus_int8": {
                **self.difference.as_json(),
                "only_float": self.verdict.only_float,
                "only_int8": self.verdict.only_int8,
            },
            "temperature": self.temperature,
            "size_bytes": len(self.model),
            "weights_sha256": self.weights_sha256,
        }


class Publisher:
    """Publishes what a run trained; the `ServerApp` calls it once.

    Attributes:
        publication: What was published; None before, and for ever where the file was refused.

    Args:
        releases: The record of releases.
        directory: The directory of all releases.
        origin: Where the release comes from.
        writers: How accuracy of the last round differed between held-out writers, where that is on record.
        clock: Seconds of a monotonic clock; the run started at its reading now.
    """

    def __init__(
        self,
        releases: ReleaseRecord,
        directory: Path,
        origin: Origin,
        writers: Callable[[], Spread | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._releases = releases
        self._directory = directory
        self._origin = origin
        self._writers = writers
        self._clock = clock
        self._started = clock()
        self.publication: Publication | None = None

    def __call__(self, course: Course, state: RunState) -> None:
        """Converts, checks and publishes; a run that has published already is given that release again.

        Raises:
            ReleaseRefusedError: A check failed; nothing was published.
        """
        floating, *quantized = _ended_with(state)
        sent = record(floating, course.trainer.schema(quantized=False))
        trained, calibrated = (_judged(course, sent, arrays) for arrays in quantized)
        judged = better(trained, calibrated)
        check_margin(judged.verdict, course.settings.float_margin)
        twin = browser_twin(judged.model, where="the converted model")
        check_twin(twin, judged.self_test)
        writers = self._writers() if judged is trained else None  # the last round read with what it had trained

        def build(number: int) -> Mapping[str, bytes]:
            manifest = replace(self._manifest(course, state, number, judged, writers), browser=File.of(twin))
            card = model_card(manifest).encode()
            return {MANIFEST: manifest.encode(), MODEL: judged.model, BROWSER_MODEL: twin, MODEL_CARD: card}

        facts = ReleaseFacts(
            self._origin.task,
            course.settings.recogniser,
            self._origin.run,
            judged.verdict.accuracy_float,
            judged.verdict.accuracy_int8,
        )
        number = self._releases.of_run(self._origin.run)
        if number is None:
            number = self._releases.publish(self._directory, build, facts)
        self.publication = Publication(
            **vars(judged),
            number=number,
            directory=self._directory / self._releases.get(number).path,
            trained=trained.verdict,
            calibrated=calibrated.verdict,
            floating=floating,
        )

    def published(self) -> Publication:
        """What was published.

        Raises:
            ReleaseRefusedError: Nothing was.
        """
        if self.publication is None:
            raise ReleaseRefusedError("the run ended without a release; see its record")
        return self.publication

    def _manifest(
        self, course: Course, state: RunState, number: int, judged: Judged, writers: Spread | None
    ) -> Manifest:
        of_texts = self._origin.kind != "characters"
        return Manifest(
            release=number,
            task=self._origin.task,
            recogniser=course.settings.recogniser,
            alphabet=course.subject.alphabet,
            alphabet_version=1 if state.model is None else state.model.alphabet_version,
            run=self._origin.run,
            parent=self._releases.of_run(course.settings.start_from) if course.settings.start_from else None,
            strategy=course.settings.strategy,
            rounds=state.number,
            devices=len(course.queries.devices),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            training_seconds=round(self._clock() - self._started, 1),
            licence=self._origin.licence,
            weights_sha256=judged.weights_sha256,
            model=File.of(judged.model),
            metrics={
                "samples": judged.verdict.samples,
                "split_by": self._origin.split_by,
                "accuracy_float": judged.verdict.accuracy_float,
                "accuracy_int8": judged.verdict.accuracy_int8,
                "float_minus_int8": judged.difference.as_json(),
                **({} if writers is None else {"writers": writers.as_json()}),
                **_by_class(judged.detail),
            },
            self_test=judged.self_test,
            normalisation=strips.VERSION if of_texts else images.VERSION,
            geometry=Geometry(course.trainer.height, None if of_texts else SIDE, course.trainer.channels),
            inputs=inputs.parse(course.settings.inputs),
            kind=self._origin.kind,
            temperature=judged.temperature,
        )


def _by_class(detail: Detail) -> dict[str, list[list[int]]]:
    """What a manifest says of classes; nothing where nothing is told."""
    said = {"classes": detail.classes, "confusions": detail.confusions}
    return {name: [list(row) for row in rows] for name, rows in said.items()} if detail.classes else {}


def _ended_with(state: RunState) -> tuple[Arrays, Arrays, Arrays]:
    """The float arrays, those after the quantization-aware rounds, and those that were calibrated before them."""
    if state.floating is None or state.calibrated is None:
        raise ReleaseRefusedError("the run has not come to its quantization-aware rounds; resume it")
    return state.floating, state.outcome, state.calibrated


def _judged(course: Course, floating: ArrayRecord, arrays: Arrays) -> Judged:
    """What comes of quantized arrays, beside the float model."""
    model = to_int8(course.trainer.quantized_model(arrays))
    self_test = check_conversion(course.trainer, arrays, model)
    verdict, curve, detail = course.queries.judge(floating, model)
    return Judged(model, self_test, verdict, curve.temperature(), weights_sha256(arrays), detail)


def better(trained: Judged, calibrated: Judged) -> Judged:
    """The one that reads better beside float, on the samples of the devices that judged it; of equals, `trained`."""
    return min((trained, calibrated), key=lambda each: (not each.verdict.samples, each.verdict.worse))


def check_conversion(trainer: Trainer, trained: Arrays, model: bytes) -> SelfTest:
    """Compares a converted file with the model it came from, on synthetic pictures.

    Returns:
        A self-test for the manifest.

    Raises:
        ReleaseRefusedError: The file cannot be loaded, touches floating point, or disagrees.
    """
    try:
        int8 = Int8Model(model, where="the converted model")
    except ManifestError as error:
        raise ReleaseRefusedError(
            "the converted model cannot be loaded; training has probably diverged: see the loss by round, and lower the"
            " learning rate"
        ) from error
    floats = int8.operators_with_floats()
    if floats:
        raise ReleaseRefusedError(
            f"{len(floats)} operators of the converted model touch floating point ({', '.join(sorted(set(floats)))});"
            " choose layers that the 8-bit scheme converts"
        )
    if int8.reads_texts:
        drawn = texts(SELF_TEST_PICTURES, trainer.height, seed=0)
    else:
        drawn = pictures(SELF_TEST_PICTURES, trainer.channels, seed=0)
    found = int8.logits(drawn)
    expected = trainer.logits(trained, drawn, quantized=True).reshape(found.shape)
    ratio = _sqnr(expected, found)
    if not ratio >= LEAST_SQNR:  # nor of NaN
        raise ReleaseRefusedError(
            f"the converted model is not the model that was trained: its logits are {ratio:.1f} dB from those"
            f" (at least {LEAST_SQNR:g})"
        )
    kept = SELF_TEST_TEXTS_KEPT if int8.reads_texts else SELF_TEST_KEPT
    return SelfTest(drawn[:kept], found[:kept], STEPS_OFF_ELSEWHERE * int8.output_step)


def check_twin(twin: bytes, self_test: SelfTest) -> None:
    """Checks that the twin for browsers gives the same logits as the model, bit by bit.

    Raises:
        ReleaseRefusedError: It does not.
    """
    try:
        found = Int8Model(twin, where="the twin for browsers").logits(self_test.pictures)
    except ManifestError as error:
        raise ReleaseRefusedError(f"the model has no twin for browsers: {error}") from error
    if not np.array_equal(found, self_test.logits):
        raise ReleaseRefusedError("the model's twin for browsers reads otherwise; convert both anew")


def _sqnr(expected: Logits, found: Logits) -> float:
    """Signal-to-quantization-noise ratio: the variance of the logits over the mean square of the error, in decibels."""
    noise = float(np.square(expected - found, dtype=np.float64).mean())
    return 10 * math.log10(float(expected.var(dtype=np.float64)) / max(noise, float(np.finfo(np.float32).tiny)))


def check_margin(verdict: Verdict, margin: float) -> None:
    """Checks how much worse than float the INT8 file is on the devices' held-out samples.

    What counts is the character error rate, which of single characters is the fraction that is read wrong.

    Raises:
        ReleaseRefusedError: It is worse by more than `margin`, or no device could tell.
    """
    if not verdict.samples:
        raise ReleaseRefusedError("no device has held-out images to judge the converted model on; hold some out")
    if verdict.worse > margin:
        raise ReleaseRefusedError(
            f"the converted model reads {verdict.worse:.2%} of held-out characters worse than float, more than the"
            f" margin of {margin:.2%}; train more quantization-aware rounds"
        )


def weights_sha256(arrays: Arrays) -> str:
    """SHA-256 over names and values of the arrays, in the order of the schema."""
    return sha256_of(b"".join(name.encode() + b"\0" + array.tobytes() for name, array in arrays.items()))
