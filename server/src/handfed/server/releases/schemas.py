"""What goes into the record of releases and what comes out of it, as values.

Rates are fractions from 0 to 1; times are aware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handfed.server.wording import spans
from handfed.shared.errors import UsageError
from handfed.shared.manifest import MANIFEST, MODEL


class UnknownReleaseError(UsageError):
    """A release is asked for that is not on record."""

    def __init__(self, number: int, existing: Sequence[int]) -> None:
        there = f"there are {spans(existing)}" if existing else "nothing is published yet: handfed simulate makes one"
        super().__init__(f"release {number} is not on record; {there}")


@dataclass(frozen=True)
class ReleaseFacts:
    """What the record says of a release beyond what its files say.

    Attributes:
        task: Name of what is recognised.
        recogniser: Name of the recogniser.
        run_id: The run that made it; None when it came from elsewhere.
        accuracy_float: Held-out accuracy before conversion; None when not measured.
        accuracy_int8: Held-out accuracy of the published file; None when not measured.
        model_file: Which of its files is the model.
        manifest_file: Which of its files is the manifest, a JSON object.
    """

    task: str
    recogniser: str
    run_id: int | None = None
    accuracy_float: float | None = None
    accuracy_int8: float | None = None
    model_file: str = MODEL
    manifest_file: str = MANIFEST


@dataclass(frozen=True)
class RecordedRelease:
    """A release as recorded.

    Attributes:
        number: Number of the release; never given twice.
        run_id: The run that made it.
        task: Name of what is recognised.
        recogniser: Name of the recogniser.
        path: Its directory, relative to the releases directory.
        sha256: SHA-256 of the model file, in hex.
        size_bytes: Size of the model file.
        accuracy_float: Held-out accuracy before conversion.
        accuracy_int8: Held-out accuracy of the published file.
        manifest: Its manifest.
        created_at: When it was published, in UTC.
    """

    number: int
    run_id: int | None
    task: str
    recogniser: str
    path: str
    sha256: str
    size_bytes: int
    accuracy_float: float | None
    accuracy_int8: float | None
    manifest: Mapping[str, Any]
    created_at: datetime
