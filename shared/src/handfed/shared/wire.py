"""What a device and the server say to each other: names, shapes, roles and reasons, in numbered versions.

A message holds arrays, counts and settings, and nothing else: no image, label, writer or file name has a place in it.
Flower carries them as an `ArrayRecord` under `ARRAYS` (and one under `TEACHER` where a training message brings one), a
`ConfigRecord` under `CONFIG` and a `MetricRecord` under `METRICS`.

Each array has a role that says how updates of it are combined:

    role            combined by                              why
    weight          the strategy, by name                    that is what strategies are for
    mean            mean weighted by samples                 mean over all samples of the federation
    second-moment   mean weighted by samples                 E[x^2]; the variance follows by the law of total variance
    range           median of the devices                    (min, max) of an activation: one device cannot stretch it
                    (mean where the server sees only sums)

Batch normalisation keeps a mean and a variance. The mean of variances is not the variance of the whole, so the wire
carries E[x^2] = variance + mean^2 instead, which every weighted mean combines exactly.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import HandfedError

# 2: a device says which arrays it trained from; 3: scores count characters and edits; 4: recognisers may be pruned and
# see planes beside the ink, training has class weights, label smoothing, weight decay and a teacher, whose arrays
# travel along, and devices give the curve that calibrates confidences; 5: messages say of which kind the handwriting is
# and what is seen beside the ink
VERSION = 5

ARRAYS = "arrays"
TEACHER = "teacher"  # a second array record of a training message, and its recogniser in the configuration
CONFIG = "config"
METRICS = "metrics"

# Kinds of message: Flower's own categories, each with the action of ours.
TRAIN = "train"
EVALUATE = "evaluate"
DESCRIBE = "query.describe"
MEASURE = "query.measure"
CALIBRATE = "query.calibrate"
JUDGE = "evaluate.judge"

# Keys of metric and configuration records.
WIRE_VERSION = "wire-version"
NUM_EXAMPLES = "num-examples"
NUM_HELD_OUT = "num-held-out"
NUM_CORRECT = "num-correct"
LOSS = "loss"
SECONDS = "seconds"
START = "start-checksum"
MODEL = "model"
ONLY_FLOAT_CORRECT = "only-float-correct"
ONLY_INT8_CORRECT = "only-int8-correct"
INT8_CORRECT = "int8-correct"
NUM_CHARACTERS = "num-characters"
NUM_EDITS = "num-edits"
INT8_EDITS = "int8-edits"
CURVE = "nats-by-temperature"  # of `handfed.shared.calibration.TEMPERATURES`, which are part of this version
CURVE_EXAMPLES = "num-calibrated"

Arrays = Mapping[str, NDArray[np.float32]]


class Role(StrEnum):
    """How updates of an array are combined."""

    WEIGHT = "weight"
    MEAN = "mean"
    SECOND_MOMENT = "second-moment"
    RANGE = "range"


class Reason(StrEnum):
    """Why a reply was not used; goes on record with the round."""

    ERROR = "device-error"
    SILENT = "no-reply"
    VERSION = "wrong-version"
    CONTENT = "wrong-content"
    NAMES = "wrong-names"
    SHAPE = "wrong-shape"
    DTYPE = "wrong-dtype"
    NOT_FINITE = "not-finite"
    RANGE = "impossible-range"
    MOMENTS = "impossible-moments"
    COUNT = "impossible-count"
    START = "other-start"
    LENGTH = "too-long"
    DIRECTION = "wrong-direction"


def checksum(arrays: Arrays) -> int:
    """CRC-32 (as zlib computes it) over names and values, whatever their order.

    It tells arrays apart that differ by accident, such as those of an earlier round; it is no proof against a liar.
    """
    found = 0
    for name in sorted(arrays):
        found = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), found))
    return found


class RejectedError(HandfedError):
    """An update that must not be combined with others.

    Attributes:
        reason: The rule it broke.
        detail: What was found, without any value of the update.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class ArraySpec:
    """One array of a schema: its name on the wire, its shape, and its role. Every array is float32."""

    name: str
    shape: tuple[int, ...]
    role: Role


@dataclass(frozen=True)
class Schema:
    """The arrays of a model on the wire, in a fixed order."""

    specs: tuple[ArraySpec, ...]

    def names(self, *roles: Role) -> tuple[str, ...]:
        """The names of the arrays that have one of `roles`; all names without any."""
        return tuple(spec.name for spec in self.specs if not roles or spec.role in roles)

    def only(self, *roles: Role) -> Schema:
        """The schema of the arrays that have one of `roles`."""
        return Schema(tuple(spec for spec in self.specs if spec.role in roles))

    def check(self, arrays: Mapping[str, NDArray[np.generic]], *, values: bool = True) -> None:
        """Refuses arrays that are not of this schema.

        Args:
            arrays: By name.
            values: Whether to look at the values too, not only at names, dtypes and shapes.

        Raises:
            RejectedError: A name is missing or unknown, or an array has another dtype or shape, is not finite, is a
                range whose minimum exceeds its maximum, or is a second moment below the square of its mean.
        """
        if set(arrays) != set(self.names()):
            missing = len(set(self.names()) - set(arrays))
            raise RejectedError(
                Reason.NAMES,
                f"{missing} arrays are missing and {len(set(arrays) - set(self.names()))} are unknown",
            )
        for spec in self.specs:
            _check_form(spec, arrays[spec.name])
        if values:
            self._check_values(arrays)

    def _check_values(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        for spec in self.specs:
            _check_values(spec, arrays[spec.name])
        for mean, second_moment in self.moments():
            # Rounding may leave E[x^2] a little below E[x]^2 where a channel is nearly constant.
            if np.any(arrays[second_moment] < np.square(arrays[mean]) * 0.999 - 1e-3):
                raise RejectedError(Reason.MOMENTS, f"{second_moment}: E[x^2] lies below E[x]^2")

    def moments(self) -> tuple[tuple[str, str], ...]:
        """Pairs of names of a mean and its second moment, which follow one another."""
        return tuple(zip(self.names(Role.MEAN), self.names(Role.SECOND_MOMENT), strict=True))


def _check_form(spec: ArraySpec, array: NDArray[np.generic]) -> None:
    if array.dtype != np.float32:
        raise RejectedError(Reason.DTYPE, f"{spec.name}: {array.dtype} instead of float32")
    if array.shape != spec.shape:
        raise RejectedError(Reason.SHAPE, f"{spec.name}: {array.shape} instead of {spec.shape}")


def _check_values(spec: ArraySpec, array: NDArray[np.generic]) -> None:
    if not np.all(np.isfinite(array)):
        raise RejectedError(Reason.NOT_FINITE, f"{spec.name}: NaN or infinite")
    if spec.role is Role.RANGE and not array[0] <= 0 <= array[1]:
        raise RejectedError(Reason.RANGE, f"{spec.name}: a range must hold 0")


def second_moment(mean: NDArray[np.float32], variance: NDArray[np.float32]) -> NDArray[np.float32]:
    """E[x^2] from mean and variance."""
    return variance + np.square(mean)


def variance(mean: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Variance from mean and E[x^2]; never below 0, where rounding would put it."""
    return np.maximum(second - np.square(mean), np.float32(0))


def check_count(count: object, *, most: int, least: int = 0, what: str = "sample count") -> int:
    """Refuses a count that no honest device reports.

    Args:
        count: What the reply says.
        most: The most that the device can have; it was told at enrolment or when it joined the run.
        least: The least that makes sense.
        what: What is counted, for the message.

    Raises:
        RejectedError: The count is no whole number, below `least`, or above `most`.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not least <= count <= most:
        raise RejectedError(Reason.COUNT, f"the {what} is not a whole number from {least} to {most}")
    return count
