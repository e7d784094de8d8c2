"""What leaves a device, field by field: the whole list, and how much of it the last round was.

The list is of `handfed.shared.wire`, of enrolment, and of reports; a test compares it with what the device's own code
sends. Sizes are measured where the record has them (arrays, reports); a number on the wire has 8 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handfed.server.database import Database
from handfed.server.people.principals import Principal
from handfed.server.promotion.models import ReportRow
from handfed.server.runs.models import DeviceRound, Round
from handfed.shared import wire
from handfed.shared.disclosure import EDGES, LEAST_SAMPLES, LEAST_WRITERS

Form = Literal["arrays", "number", "counts", "text", "signature"]
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True)
class Sent:
    """A field of a message that a device sends.

    Attributes:
        message: Kind of message: one of `handfed.shared.wire`, or `enrolment`, `report`.
        field: Its name in the message.
        form: What it is.
        floor: From how many writers or samples on it is said; 0 always.
        size_bytes: Of one device in the last round on record, the mean; None where nothing is on record.
    """

    message: str
    field: str
    form: Form
    floor: int = 0
    size_bytes: int | None = None


@dataclass(frozen=True)
class Leaving:
    """What leaves a device.

    Attributes:
        run: The run whose last round is measured; None where there is none.
        round: That round.
        devices: How many devices' updates were measured.
        fields: All fields.
    """

    run: int | None
    round: int | None
    devices: int
    fields: tuple[Sent, ...]


def _numbers(message: str, *names: str) -> tuple[Sent, ...]:
    return tuple(Sent(message, name, "number", size_bytes=_NUMBER_BYTES) for name in (wire.WIRE_VERSION, *names))


FIELDS: Final = (
    *_numbers(wire.DESCRIBE, wire.NUM_EXAMPLES, wire.NUM_HELD_OUT),
    Sent(wire.MEASURE, wire.ARRAYS, "arrays"),
    *_numbers(wire.MEASURE, wire.NUM_EXAMPLES),
    Sent(wire.TRAIN, wire.ARRAYS, "arrays"),
    *_numbers(wire.TRAIN, wire.NUM_EXAMPLES, wire.LOSS, wire.SECONDS, wire.START),
    *_numbers(wire.EVALUATE, wire.NUM_EXAMPLES, wire.NUM_CORRECT, wire.NUM_CHARACTERS, wire.NUM_EDITS, wire.LOSS),
    Sent(wire.EVALUATE, wire.WRITERS, "counts", LEAST_WRITERS),
    *(
        Sent(wire.EVALUATE, name, "counts", LEAST_SAMPLES)
        for name in (wire.CLASSES, wire.CLASS_SAMPLES, wire.CLASS_CORRECT)
    ),
    Sent(wire.CALIBRATE, wire.ARRAYS, "arrays"),
    *_numbers(wire.CALIBRATE, wire.NUM_EXAMPLES),
    *_numbers(
        wire.JUDGE,
        wire.NUM_EXAMPLES,
        wire.NUM_CORRECT,
        wire.INT8_CORRECT,
        wire.ONLY_FLOAT_CORRECT,
        wire.ONLY_INT8_CORRECT,
        wire.NUM_CHARACTERS,
        wire.NUM_EDITS,
        wire.INT8_EDITS,
        wire.CURVE_EXAMPLES,
    ),
    *(
        Sent(wire.JUDGE, name, "counts", LEAST_SAMPLES)
        for name in (
            wire.CURVE,
            wire.CLASSES,
            wire.CLASS_SAMPLES,
            wire.CLASS_CORRECT,
            wire.CONFUSED_WRITTEN,
            wire.CONFUSED_READ,
            wire.CONFUSED_SAMPLES,
        )
    ),
    Sent("report", "standings", "counts"),
    Sent("report", "comparisons", "counts"),
    Sent("report", "uses", "counts", LEAST_SAMPLES),
    Sent("report", "handwriting", "counts", LEAST_SAMPLES),
    Sent("report", "signature", "signature"),
    Sent("enrolment", "name", "text"),
    Sent("enrolment", "public_key", "text"),
    Sent("enrolment", "versions", "text"),
    Sent("enrolment", "proof", "signature"),
)


class LeavingReading:
    """Reads how much leaves a device.

    Args:
        database: Where the record is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, principal: Principal) -> Leaving:
        """All fields, with the sizes of the last round on record.

        Raises:
            StorageError: The database cannot be read.
        """
        principal.require("viewer")
        with self._database.read() as session:
            last = session.scalar(select(Round).order_by(Round.run_id.desc(), Round.number.desc()).limit(1))
            reports = session.scalar(select(func.avg(func.length(ReportRow.report))))
            measured, devices = (None, 0) if last is None else _update(session, last)
        sizes = {
            (wire.TRAIN, wire.ARRAYS): measured,
            ("report", "standings"): None if reports is None else round(reports),
        }
        if last is not None:
            sizes |= _counts(last)
        fields = tuple(
            Sent(
                each.message, each.field, each.form, each.floor, sizes.get((each.message, each.field), each.size_bytes)
            )
            for each in FIELDS
        )
        if last is None:
            return Leaving(None, None, devices, fields)
        return Leaving(last.run_id, last.number, devices, fields)


def _update(session: Session, last: Round) -> tuple[int | None, int]:
    """Mean bytes of an update, and of how many devices."""
    if last.accepted and last.bytes_up:
        found = session.execute(
            select(func.sum(DeviceRound.bytes_up), func.count()).where(
                DeviceRound.run_id == last.run_id, DeviceRound.round == last.number, DeviceRound.bytes_up > 0
            )
        ).one()
        total, count = (found[0], found[1]) if found[1] else (last.bytes_up, last.accepted)
        return int(total) // count, count
    return None, 0


def _counts(last: Round) -> dict[tuple[str, str], int | None]:
    """Bytes of what a device may say beside totals, where devices did."""
    classes = len(last.class_counts) * _NUMBER_BYTES if last.class_counts else None
    return {
        (wire.EVALUATE, wire.WRITERS): len(EDGES) * _NUMBER_BYTES if last.writer_bins else None,
        **{(wire.EVALUATE, name): classes for name in (wire.CLASSES, wire.CLASS_SAMPLES, wire.CLASS_CORRECT)},
    }
