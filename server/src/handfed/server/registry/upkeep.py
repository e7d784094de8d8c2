"""What the serving process does for the registry by itself.

Rules:
1. A release that is on record and not in the registry is added, however the process died that published it.
2. What is decided of releases and devices (`handfed.server.promotion`) is told to devices every few seconds.
3. What expires is renewed in time where its keys are here; where they are not, the log says so once a day.
4. A registry that came out of a backup signs everything anew, since devices may have seen later versions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from handfed.server.clock import Clock, now
from handfed.server.registry.files import RESTORED
from handfed.server.registry.service import Registry, RoleStatus
from handfed.server.releases.schemas import RecordedRelease
from handfed.server.releases.service import ReleaseRecord
from handfed.shared.errors import HandfedError

_RENEWAL: Final = timedelta(minutes=1)
_PUBLICATION: Final = timedelta(seconds=5)
_AGAIN: Final = timedelta(days=1)
_log = logging.getLogger(__name__)


class Decided(Protocol):
    """What is decided elsewhere, and told to devices by the registry."""

    def publish(self, registry: Registry) -> None:
        """Has the registry say what is decided."""


class RegistryUpkeep:
    """Keeps the registry as it should be; call `look` again and again.

    Args:
        registry: The registry.
        record: The releases on record.
        directory: The directory of all releases.
        decided: What is decided elsewhere of what devices are to use.
        clock: Tells the time.
    """

    def __init__(
        self,
        registry: Registry,
        record: ReleaseRecord,
        directory: Path,
        decided: Sequence[Decided] = (),
        clock: Clock = now,
    ) -> None:
        self._registry, self._record, self._directory, self._clock = registry, record, directory, clock
        self._decided = tuple(decided)
        self._published_at: datetime | None = None
        self._known = frozenset[int]()  # numbers on record when all of them were looked after
        self._looked_at: datetime | None = None
        self._said: dict[str, datetime] = {}

    def look(self) -> None:
        """Does what is to be done; what fails is in the log, and tried again."""
        at = self._clock()
        if self._looked_at is None or not timedelta() <= at - self._looked_at < _RENEWAL:
            self._looked_at = at
            self._try(self._renew)
        self._try(self._add_releases)
        if self._published_at is None or not timedelta() <= at - self._published_at < _PUBLICATION:
            self._published_at = at
            for each in self._decided:
                self._try(partial(each.publish, self._registry))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except HandfedError as error:
            self._say(f"the registry is not looked after just now: {error}")
        except Exception:  # noqa: BLE001 - the thread that calls this looks after other things, too
            _log.exception("the registry is not looked after just now")

    def _add_releases(self) -> None:
        tasks = self._record.tasks()
        if tasks.keys() == self._known:
            return
        there = self._registry.releases() | self._registry.waiting()
        for number in sorted(tasks.keys() - there):
            self._add(self._record.get(number))
        self._known = frozenset(tasks)

    def _add(self, release: RecordedRelease) -> None:
        directory, task, sha256 = self._directory / release.path, release.task, release.sha256
        try:
            self._registry.add_release(release.number, directory, task=task, model_sha256=sha256)
            is_in = release.number in self._registry.releases()
            _log.info("release %d %s", release.number, "is in the registry" if is_in else "waits for a signature")
        except HandfedError as error:
            self._say(f"release {release.number} is not in the registry: {error}")

    def _renew(self) -> None:
        if self._registry.repository.files.read(RESTORED) is not None:
            here = [one.role for one in self._registry.status() if one.signs_here]
            self._registry.renew(here)
            self._registry.repository.files.remove(RESTORED)
        self._registry.renew()
        self._known = frozenset()  # what failed is tried again, and what waited may have come back signed
        for one in self._registry.status():
            self._warn(one)

    def _warn(self, one: RoleStatus) -> None:
        at = self._clock()
        if one.missing is not None:
            self._say(f"a new version of {one.role} waits for {one.missing} signatures: see handfed keys list")
        elif not one.signs_here and one.is_due(self._registry.lifetimes.of(one.role), at):
            days = (one.expires - at).days
            self._say(f"{one.role} expires in {days} days, and its key is not here: see handfed keys renew {one.role}")

    def _say(self, text: str) -> None:
        at = self._clock()
        if text not in self._said or not timedelta() <= at - self._said[text] < _AGAIN:
            self._said[text] = at
            _log.warning("%s", text)
