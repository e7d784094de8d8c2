"""Releases, as people may read them: a release is everybody's who has a token, and its files are no secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import select

from handfed.server.base import is_possible
from handfed.server.database import Database, snapshot
from handfed.server.paging import FIRST, Page, PageRequest, page_of
from handfed.server.releases.directories import name_of
from handfed.server.releases.models import Release
from handfed.server.releases.schemas import RecordedRelease
from handfed.shared.errors import NotFoundError


class ReleaseReading:
    """Reads the record of releases.

    Every method raises a `StorageError` when the database cannot be read.

    Args:
        database: Where the record is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, request: PageRequest = FIRST) -> Page[RecordedRelease]:
        """Releases, newest first; of the manifest without its self-test, which is most of it."""
        with self._database.read() as session:
            return page_of(
                session,
                select(Release),
                Release.number,
                request,
                lambda row: _in_brief(snapshot(RecordedRelease, row[0])),
                newest_first=True,
            )

    def get(self, number: int) -> RecordedRelease:
        """One release.

        Raises:
            NotFoundError: There is none with this number.
        """
        with self._database.read() as session:
            row = session.get(Release, number) if is_possible(number) else None
            if row is None:
                raise NotFoundError(f"there is no release {number}; handfed releases list names those there are")
            return snapshot(RecordedRelease, row)

    def file(self, releases: Path, number: int, name: str) -> Path:
        """Where a file of a release is.

        Args:
            releases: The directory of all releases.
            number: The release.
            name: One of the names that a release's files have.

        Raises:
            NotFoundError: There is no such release, or it has no such file here.
        """
        self.get(number)
        path = releases / name_of(number) / name
        if not path.is_file():
            raise NotFoundError(f"release {number} has no {name} on this machine")
        return path


def _in_brief(release: RecordedRelease) -> RecordedRelease:
    manifest = {name: value for name, value in release.manifest.items() if name != "self_test"}
    return replace(release, manifest=manifest)
