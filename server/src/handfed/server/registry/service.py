"""The registry as the rest of the server knows it: releases, channels, pins, and renewal.

Rules:
1. A release is added once, with all of its files, and never changed or removed; whoever adds it again changes nothing.
2. Which release a device uses is decided elsewhere (`handfed.server.promotion`), and said here.
3. A channel or a pin names releases that are in force only. Where the key of releases is kept elsewhere, a new one
   waits for its signature first (`waiting`).
4. What is signed is renewed at half of its life where the keys are here; where they are not, `status` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile, Targets

from handfed.server.clock import Clock, now
from handfed.server.registry.draft import LASTING, ROLES, AnyMetadata, Draft, keyids_of
from handfed.server.registry.files import newest_root, target_file
from handfed.server.registry.lifetimes import DEFAULT, Lifetimes
from handfed.server.registry.repository import MissingRegistryError, RegistryRepository, names_in_force
from handfed.shared.errors import ManifestError, SettingError, StorageError
from handfed.shared.files import sha256_of
from handfed.shared.manifest import BROWSER_MODEL, File, read_release
from handfed.shared.registry import CHANNELS_ROLE, Channel, Pin, channel_path, release_path

_PINS: Final = "pins/"
_HASHES: Final = ["sha256"]  # one, so that a target's file has one name


@dataclass(frozen=True)
class KeyStatus:
    """A key of a role.

    Attributes:
        keyid: Its id.
        is_here: Whether its private half is on this machine.
    """

    keyid: str
    is_here: bool


@dataclass(frozen=True)
class RoleStatus:
    """How it stands with a role.

    Attributes:
        role: Its name.
        version: Of what is in force.
        expires: When that expires, in UTC.
        threshold: How many keys have to sign.
        keys: Its keys.
        missing: How many signatures the next version lacks, which waits for them; None where none waits.
    """

    role: str
    version: int
    expires: datetime
    threshold: int
    keys: tuple[KeyStatus, ...]
    missing: int | None = None

    @property
    def signs_here(self) -> bool:
        """Whether enough of its keys are here."""
        return sum(key.is_here for key in self.keys) >= self.threshold

    def is_due(self, life: timedelta, at: datetime) -> bool:
        """Whether it is to be renewed: half of its life is over, or it would live longer than it should.

        Args:
            life: How long what the role signs is valid.
            at: The time, aware.
        """
        return not life / 2 < self.expires - at <= life


class Registry:
    """The registry of a federation.

    Attributes:
        repository: Its files, keys and changes.
        lifetimes: How long a signature is valid.

    Every method raises a `StorageError` where a file cannot be read or written or is damaged, or a key that has to be
    here is not, and a `SettingError` where another process keeps changing the registry.

    Args:
        directory: `registry/` of the data directory.
        lifetimes: How long a signature is valid.
        clock: Tells the time.
    """

    def __init__(self, directory: Path, lifetimes: Lifetimes = DEFAULT, clock: Clock = now) -> None:
        self.repository = RegistryRepository(directory, lifetimes, clock)
        self.lifetimes = lifetimes
        self._clock = clock

    def ensure(self) -> None:
        """Makes a registry where there is none."""
        self.repository.ensure()

    def root(self) -> bytes:
        """The newest root: what a device trusts that joins now.

        Raises:
            MissingRegistryError: There is no registry.
        """
        found = newest_root(self.repository.files.directory)
        if found is None:
            raise MissingRegistryError(self.repository.files.directory)
        return found

    def releases(self) -> frozenset[int]:
        """The releases that are in force."""
        return _releases(self.repository.current()[Targets.type])

    def waiting(self) -> frozenset[int]:
        """The releases that wait for a signature from elsewhere."""
        current = self.repository.current()
        pending = self.repository.pending(current).get(Targets.type)
        return frozenset() if pending is None else _releases(pending) - _releases(current[Targets.type])

    def add_release(self, number: int, directory: Path, *, task: str, model_sha256: str | None = None) -> None:
        """Adds a release.

        Args:
            number: Of the release.
            directory: Where its files are.
            task: What it recognises.
            model_sha256: What its model file is on record with; None where nobody knows.

        Raises:
            ManifestError: The directory is none of a release, its model is another one, or no channel can have the
                task's name, so that no device could find it.
        """
        channel_path(task)
        with self.repository.drafting() as draft:
            draft.take_up(Targets.type)
            if number not in _releases(draft.open(Targets.type)):
                files = self._lay_out(number, directory, task, model_sha256)
                with draft.targets_edited() as targets:
                    targets.targets.update({file.path: file for file in files})

    def channels(self) -> dict[str, Channel]:
        """The channel of each task."""
        listed: Mapping[str, TargetFile] = self.repository.current()[CHANNELS_ROLE].signed.targets
        found = [self._decoded(file) for path, file in listed.items() if path.startswith("channels/")]
        return {channel.task: channel for channel in found}

    def set_channel(self, channel: Channel) -> None:
        """Says what devices that read a task are to use.

        Raises:
            ManifestError: No channel can have the task's name.
            SettingError: It names a release that is not in force.
        """
        trial = set() if channel.trial is None else {channel.trial.release}
        with self.repository.drafting() as draft:
            _check_releases(draft, trial | (set() if channel.champion is None else {channel.champion}))
            self._put(draft, channel_path(channel.task), channel.encode())

    def pins(self) -> dict[str, str]:
        """SHA-256 of each pin, hex, by its path."""
        listed: Mapping[str, TargetFile] = self.repository.current()[CHANNELS_ROLE].signed.targets
        return {path: file.hashes["sha256"] for path, file in listed.items() if path.startswith(_PINS)}

    def set_pins(self, pins: Mapping[str, Pin]) -> None:
        """Has these pins, and no others.

        Args:
            pins: By path, as of `pin_path`.

        Raises:
            SettingError: A release is not in force.
        """
        with self.repository.drafting() as draft:
            _check_releases(draft, {pin.release for pin in pins.values()})
            draft.take_up(CHANNELS_ROLE)
            gone = {path for path in draft.open(CHANNELS_ROLE).signed.targets if path.startswith(_PINS)} - pins.keys()
            if gone:
                with draft.targets_edited(CHANNELS_ROLE) as channels:
                    for path in gone:
                        del channels.targets[path]
            for path, pin in pins.items():
                self._put(draft, path, pin.encode())

    def renew(self, roles: Collection[str] | None = None) -> tuple[str, ...]:
        """Signs anew.

        Args:
            roles: What is signed anew, now, also where that has to wait for a key from elsewhere; None for what is due
                and has its keys here.

        Returns:
            What was signed anew.
        """
        at, status = self._clock(), self.status()
        if roles is None:
            due = [one for one in status if one.signs_here and one.is_due(self.lifetimes.of(one.role), at)]
            roles = [one.role for one in due if not one.missing]
        chosen = tuple(role for role in ROLES if role in roles)
        here = [one.role for one in status if one.role in chosen and one.signs_here and not one.missing]
        alone = [[role] for role in chosen if role not in here]  # what waits keeps nothing else waiting
        for together in (here, *alone):
            with self.repository.drafting() as draft:
                for role in together:
                    draft.renew(role)
        if chosen:
            self._prune(at)
        return chosen

    def status(self) -> tuple[RoleStatus, ...]:
        """How it stands with each role; nothing is locked or changed."""
        current = self.repository.current()
        pending = self.repository.pending(current)
        draft = Draft(current, pending, keys=self.repository.keys, lifetimes=self.lifetimes, now=self._clock())
        for role in pending:
            draft.take_up(role)
        return tuple(self._status(role, current, draft) for role in ROLES)

    def _status(self, role: str, current: Mapping[str, AnyMetadata], draft: Draft) -> RoleStatus:
        over = current[Targets.type if role == CHANNELS_ROLE else "root"].signed
        keys = tuple(KeyStatus(keyid, self.repository.keys.has(keyid)) for keyid in keyids_of(over, role))
        signed, threshold = current[role].signed, over.get_delegated_role(role).threshold
        missing = draft.lacks(role) if role in draft.pending and role in LASTING else None
        return RoleStatus(role, signed.version, signed.expires, threshold, keys, missing)

    def _lay_out(self, number: int, directory: Path, task: str, model_sha256: str | None) -> list[TargetFile]:
        """Lays a release's files where devices will look for them."""
        try:
            paths = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
            files = [TargetFile.from_file(release_path(number, path.name), str(path), _HASHES) for path in paths]
        except OSError as error:
            raise StorageError(f"cannot read release {number} in {directory}: {error.strerror}") from error
        manifest, _ = read_release(directory)
        found = (manifest.release, manifest.task, manifest.model.sha256)
        if found != (number, task, model_sha256 or manifest.model.sha256):
            raise ManifestError(f"{directory} does not hold release {number} of {task} that is on record")
        twin = directory / BROWSER_MODEL
        if manifest.browser is not None and (not twin.is_file() or File.of(twin.read_bytes()) != manifest.browser):
            raise ManifestError(f"{twin} is not the twin for browsers that the manifest of release {number} names")
        for path, file in zip(paths, files, strict=True):
            self.repository.files.put_target(file.path, file.hashes["sha256"], path)
        return files

    def _put(self, draft: Draft, path: str, content: bytes) -> None:
        file = TargetFile.from_data(path, content, _HASHES)
        draft.take_up(CHANNELS_ROLE)
        if draft.open(CHANNELS_ROLE).signed.targets.get(path) != file:
            self.repository.files.put_target(path, sha256_of(content), content)
            with draft.targets_edited(CHANNELS_ROLE) as channels:
                channels.targets[path] = file

    def _decoded(self, file: TargetFile) -> Channel:
        name = target_file(file.path, file.hashes["sha256"])
        content = self.repository.files.read(name)
        if content is None:
            raise StorageError(f"{name} of the registry is missing: restore the registry from a backup")
        return Channel.decode(content, where=file.path)

    def _prune(self, at: datetime) -> None:
        current = self.repository.current()
        pending = self.repository.pending(current)
        waiting = {role: each for role, each in pending.items() if role == CHANNELS_ROLE}
        self.repository.files.prune({*names_in_force(current), *names_in_force(waiting)}, now=at)


def _releases(targets: AnyMetadata) -> frozenset[int]:
    parts = [path.split("/") for path in targets.signed.targets]
    return frozenset(int(part[1]) for part in parts if part[0] == "releases")


def _check_releases(draft: Draft, named: set[int]) -> None:
    unknown = sorted(named - _releases(draft.current[Targets.type]))
    if unknown:
        raise SettingError(
            f"release {unknown[0]} is not in force in the registry: it is not there, or waits for a signature"
            " (handfed keys list)"
        )
