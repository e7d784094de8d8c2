"""The record of releases.

Rules:
1. Publishing takes a number, builds and writes the files, and records the release last: what is on record is
   complete, whatever was interrupted.
2. A number is given once, even when its release failed, and even when the database is new and the directories
   are not.
3. A release is never changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from handfed.server.base import is_possible
from handfed.server.database import Database, snapshot
from handfed.server.releases import directories
from handfed.server.releases.models import Release, ReleaseCounter
from handfed.server.releases.schemas import RecordedRelease, ReleaseFacts, UnknownReleaseError
from handfed.server.runs.models import Run
from handfed.server.runs.schemas import UnknownRunError
from handfed.shared.errors import ManifestError
from handfed.shared.files import sha256_of

Build = Callable[[int], Mapping[str, bytes]]
Clock = Callable[[], datetime]


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class ReleaseRecord:
    """The releases that a database keeps.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where the record is.
        clock: Tells the time at which a release is published.
    """

    def __init__(self, database: Database, clock: Clock = now) -> None:
        self._database = database
        self._clock = clock

    def publish(self, releases: Path, build: Build, facts: ReleaseFacts) -> int:
        """Publishes a release.

        Args:
            releases: The directory of all releases.
            build: Makes the files from the release's number, which the manifest holds; what it raises passes.
            facts: What goes on record.

        Returns:
            The release's number.

        Raises:
            ManifestError: The files lack the model or the manifest, or the manifest is no JSON object.
            StorageError: The directory cannot be written.
            UnknownRunError: The run that is to have made it is not on record.
        """
        with self._database.write() as session:
            _check_run(session, facts.run_id)
            number = _take_number(session, directories.highest(releases))
        files = build(number)
        row = _row(number, files, facts)
        directories.write(releases, number, files)
        row.created_at = self._clock()
        with self._database.write() as session:  # when this fails the directory stays: it may have been recorded
            session.add(row)
        return number

    def get(self, number: int) -> RecordedRelease:
        """One release.

        Raises:
            UnknownReleaseError: There is no such release.
        """
        with self._database.read() as session:
            row = session.get(Release, number) if is_possible(number) else None
            if row is None:
                raise UnknownReleaseError(number, session.scalars(select(Release.number)).all())
            return snapshot(RecordedRelease, row)

    def of_run(self, run_id: int) -> int | None:
        """The number of the release that a run made; None where it made none."""
        with self._database.read() as session:
            return session.scalar(select(func.max(Release.number)).where(Release.run_id == run_id))

    def latest(self) -> RecordedRelease | None:
        """The release with the highest number; None when nothing is published."""
        return next(iter(self.list(limit=1)), None)

    def tasks(self) -> dict[int, str]:
        """What each release recognises, by its number; cheaper than all that is known of them."""
        with self._database.read() as session:
            return {row.number: row.task for row in session.execute(select(Release.number, Release.task))}

    def list(self, limit: int | None = None) -> tuple[RecordedRelease, ...]:
        """Releases, newest first; `limit` is how many at most."""
        query = select(Release).order_by(Release.number.desc()).limit(limit)
        with self._database.read() as session:
            return tuple(snapshot(RecordedRelease, row) for row in session.scalars(query))


def _check_run(session: Session, run_id: int | None) -> None:
    if run_id is not None and session.get(Run, run_id) is None:
        raise UnknownRunError(run_id, session.scalars(select(Run.id)).all())


def _take_number(session: Session, highest_directory: int) -> int:
    counter = session.get_one(ReleaseCounter, 1, with_for_update=True)
    recorded = session.scalar(select(func.max(Release.number))) or 0
    counter.last = max(counter.last, recorded, highest_directory) + 1
    return counter.last


def _row(number: int, files: Mapping[str, bytes], facts: ReleaseFacts) -> Release:
    """What goes on record, all of it taken from the files that are about to be written."""
    for name in (facts.model_file, facts.manifest_file):
        if name not in files:
            raise ManifestError(f"release {number} has no file {name}")
    model = files[facts.model_file]
    return Release(
        number=number,
        run_id=facts.run_id,
        task=facts.task,
        recogniser=facts.recogniser,
        path=directories.name_of(number),
        sha256=sha256_of(model),
        size_bytes=len(model),
        accuracy_float=facts.accuracy_float,
        accuracy_int8=facts.accuracy_int8,
        manifest=_manifest(number, files[facts.manifest_file]),
    )


def _manifest(number: int, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise ManifestError(f"the manifest of release {number} is no JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise ManifestError(f"the manifest of release {number} is no JSON object")
    return manifest
