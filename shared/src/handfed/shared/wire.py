"""What a device and the server say to each other: names, shapes, roles and reasons, in numbered versions.

A message holds arrays, counts and settings, and nothing else: no image, label, writer or file name has a place in it.
Flower carries them as an `ArrayRecord` under `ARRAYS` (and one under `TEACHER` where a training message brings one), a
`ConfigRecord` under `CONFIG` and a `MetricRecord` under `METRICS`.

An `ArrayRecord` holds a single array, float32 (n,): the arrays of a `Schema` one after the other, each in C order. What
Flower does for a message grows with the number of its arrays, and hardly with their size. Both sides know names and
shapes from the recogniser; the array's own name, `Schema.title`, says which schema it is of, so that what another
version sent is refused and never misread.

Each array of a schema has a role, which says where it lies (roles follow one another as below, and within a role arrays
lie in the order of the schema) and how updates of it are combined:

    role            combined by                              why
    weight          the strategy                             that is what strategies are for
    mean            mean weighted by samples                 mean over all samples of the federation
    second-moment   mean weighted by samples                 E[x^2]; the variance follows by the law of total variance
    range           median of the devices                    (min, max) of an activation: one device cannot stretch it
                    (mean where the server sees only sums)

Batch normalisation keeps a mean and a variance. The mean of variances is not the variance of the whole, so the wire
carries E[x^2] = variance + mean^2 instead, which every weighted mean combines exactly.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handfed.shared.errors import HandfedError

# 2: a device says which arrays it trained from; 3: scores count characters and edits; 4: recognisers may be pruned and
# see planes beside the ink, training has class weights, label smoothing, weight decay and a teacher, whose arrays
# travel along, and devices give the curve that calibrates confidences; 5: messages say of which kind the handwriting is
# and what is seen beside the ink, and a record holds one array
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
RUN = "run"  # the run's number on the server's record; a device that does not know of it passes it over
MODEL = "model"
ONLY_FLOAT_CORRECT = "only-float-correct"
ONLY_INT8_CORRECT = "only-int8-correct"
INT8_CORRECT = "int8-correct"
NUM_CHARACTERS = "num-characters"
NUM_EDITS = "num-edits"
INT8_EDITS = "int8-edits"
CURVE = "nats-by-temperature"  # of `handfed.shared.calibration.TEMPERATURES`, which are part of this version
CURVE_EXAMPLES = "num-calibrated"
# What an evaluation may say beside totals, as lists of whole numbers; `handfed.shared.disclosure` says from when on.
# Who does not know of it reads totals, so it is part of version 5.
WRITERS = "writers-by-accuracy"
CLASSES = "classes"
CLASS_SAMPLES = "class-samples"
CLASS_CORRECT = "class-correct"
# And what a judgement says of the INT8 file besides: of each cell of the confusion matrix that is not empty and not of
# right readings, the class that was written, the class that was read, and how many samples.
CONFUSED_WRITTEN = "confused-written"
CONFUSED_READ = "confused-read"
CONFUSED_SAMPLES = "confused-samples"

Arrays = Mapping[str, NDArray[np.float32]]
Flat = NDArray[np.float32]  # (n,), the arrays of a schema one after the other


class Role(StrEnum):
    """How updates of an array are combined; arrays lie in this order on the wire."""

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


_OTHER_VERSION = re.compile(r"the server speaks wire version -?\d+, this device (\d{1,9}): update .*")


def other_version(server: int) -> str:
    """What a device says to a server of another version, and which of them is to be updated."""
    older = "this device" if server > VERSION else "the server"
    return f"the server speaks wire version {server}, this device {VERSION}: update {older}"


def version_said(refusal: str) -> int | None:
    """The version of a device that refused a message by `other_version`; None of any other words."""
    found = _OTHER_VERSION.fullmatch(refusal)
    return None if found is None else int(found[1])


def checksum(flat: Flat) -> int:
    """CRC-32 (as zlib computes it) over the values of an array, float32 (n,).

    It tells arrays apart that differ by accident, such as those of an earlier round; it is no proof against a liar.
    """
    return zlib.crc32(flat.data)


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
    """One array of a schema: its name, its shape, and its role. Every array is float32."""

    name: str
    shape: tuple[int, ...]
    role: Role

    @property
    def size(self) -> int:
        """Its number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Schema:
    """The arrays of a model, or some of them, and how they lie in the one array that a message carries."""

    specs: tuple[ArraySpec, ...]

    def names(self, *roles: Role) -> tuple[str, ...]:
        """The names of the arrays that have one of `roles`; all names without any."""
        return tuple(spec.name for spec in self.specs if not roles or spec.role in roles)

    def only(self, *roles: Role) -> Schema:
        """The schema of the arrays that have one of `roles`."""
        return Schema(tuple(spec for spec in self.specs if spec.role in roles))

    @cached_property
    def title(self) -> str:
        """What an array of this schema is called on the wire: the roles in it, and a CRC-32 of all that fixes it.

        Where recognisers differ in a name, a shape or the order of their arrays, the titles differ too.
        """
        fixed = "\n".join(f"{spec.name} {spec.role} {'x'.join(map(str, spec.shape))}" for spec in self.specs)
        return f"{'+'.join(role for role in Role if self.names(role))}-{zlib.crc32(fixed.encode()):08x}"

    @cached_property
    def size(self) -> int:
        """The number of values of all arrays together."""
        return sum(spec.size for spec in self.specs)

    @cached_property
    def _places(self) -> dict[str, slice]:
        """Where each array lies, in the order of the wire."""
        places, start = {}, 0
        for spec in (spec for role in Role for spec in self.specs if spec.role is role):
            places[spec.name] = slice(start, start + spec.size)
            start += spec.size
        return places

    def span(self, role: Role) -> slice:
        """Where the arrays of a role lie, which follow one another."""
        places = [self._places[name] for name in self.names(role)]
        return slice(places[0].start, places[-1].stop) if places else slice(0, 0)

    def pack(self, arrays: Mapping[str, NDArray[Any]]) -> Flat:
        """Arrays as one.

        Args:
            arrays: By name, every array of the schema; names beyond it are passed over.

        Returns:
            float32 (size,), a copy.

        Raises:
            RejectedError: A name is missing, or an array has another dtype or shape.
        """
        flat = np.empty(self.size, np.float32)
        for spec in self.specs:
            if spec.name not in arrays:
                raise RejectedError(Reason.NAMES, f"{spec.name} is missing")
            array = arrays[spec.name]
            _check_form(spec.name, array, spec.shape)
            flat[self._places[spec.name]] = array.ravel()
        return flat

    def unpack(self, flat: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """What `pack` made one, by name, in the order of the schema.

        Args:
            flat: float32 (size,).

        Returns:
            Views of `flat`.

        Raises:
            RejectedError: It has another dtype or length.
        """
        self.check(flat, values=False)
        return {spec.name: flat[self._places[spec.name]].reshape(spec.shape) for spec in self.specs}

    def check(self, flat: NDArray[Any], *, values: bool = True) -> None:
        """Refuses an array that is not of this schema.

        Args:
            flat: Of any dtype and shape.
            values: Whether to look at the values too, not only at dtype and length.

        Raises:
            RejectedError: It has another dtype or shape than float32 (size,), is not finite, or holds a range whose
                minimum exceeds its maximum or a second moment below the square of its mean.
        """
        _check_form(self.title, flat, (self.size,))
        if values:
            self._check_values(flat)

    def _check_values(self, flat: Flat) -> None:
        self._refuse(np.flatnonzero(~np.isfinite(flat)), Reason.NOT_FINITE, "NaN or infinite")
        ranges = flat[self.span(Role.RANGE)].reshape(-1, 2)
        without_0 = np.flatnonzero((ranges[:, 0] > 0) | (ranges[:, 1] < 0))
        self._refuse(self.span(Role.RANGE).start + 2 * without_0, Reason.RANGE, "a range must hold 0")
        mean, second = flat[self.span(Role.MEAN)], flat[self.span(Role.SECOND_MOMENT)]
        # Rounding may leave E[x^2] a little below E[x]^2 where a channel is nearly constant.
        with np.errstate(over="ignore"):  # of a mean whose square no float32 holds; no second moment reaches it
            below = np.flatnonzero(second < np.square(mean) * 0.999 - 1e-3)
        self._refuse(self.span(Role.SECOND_MOMENT).start + below, Reason.MOMENTS, "E[x^2] lies below E[x]^2")

    def _refuse(self, places: NDArray[np.intp], reason: Reason, found: str) -> None:
        """Refuses what holds any value that breaks a rule, and names the array in which the first one lies."""
        if len(places):
            name = next(name for name, each in self._places.items() if places[0] < each.stop)
            raise RejectedError(reason, f"{name}: {found}")


def _check_form(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32:
        raise RejectedError(Reason.DTYPE, f"{name}: {array.dtype} instead of float32")
    if array.shape != shape:
        raise RejectedError(Reason.SHAPE, f"{name}: {array.shape} instead of {shape}")


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
