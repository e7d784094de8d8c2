"""Pulling the release that a device is to use: what the registry says, fetched, verified, tried, and switched to.

Rules:
1. python-tuf decides what is the registry's (`trust`, `download`); `handfed.shared.registry`, which release is meant.
2. A file has its name on this disk from here and never from the registry. So no name leads out of the store.
3. A release is tried on this processor before it is switched to (`health`). One that fails is quarantined, and tried
   again when the software has changed, or when somebody says so.
4. Whatever goes wrong, what was used is used. Only what is withdrawn is left without a better one.
5. There is room for what is fetched before the first byte is.
6. A number means a release of this registry alone. What is here of another one, which the device has left, goes on
   until there is a better one; what was said of its releases is forgotten.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from tuf.api.metadata import Metadata, TargetFile, Targets
from tuf.ngclient import Updater

from handfed.clients.edge import download
from handfed.clients.edge.fetcher import Fetcher, Limits
from handfed.clients.edge.health import LATENCY_MS, examine
from handfed.clients.edge.refusals import RefusedUpdateError, Rule, refusals_named
from handfed.clients.edge.source import Source
from handfed.clients.edge.state import Quarantine, Reason, State
from handfed.clients.edge.store import Store, name_of, now, number_of, refuse_link, remove, software
from handfed.clients.edge.trust import refreshed
from handfed.shared.errors import ManifestError, SettingError, StorageError, UpdateError
from handfed.shared.files import held, make_private, sync_directory
from handfed.shared.manifest import MANIFEST, MODEL, MODEL_CARD, read_release
from handfed.shared.registry import (
    CHANNELS_ROLE,
    METADATA,
    Channel,
    Follows,
    Pin,
    bucket_of,
    channel_path,
    pin_path,
    release_path,
)

LOCK: Final = "pull.lock"
_DOCUMENT_BYTES: Final = 65_536  # of a channel or a pin
_RESERVE_BYTES: Final = 16_000_000  # stays free for whatever else the device does
_CHANNELS: Final = "channels/"

Outcome = Literal["switched", "kept", "quarantined", "returned", "nothing"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PullSettings:
    """What a person may choose of a pull.

    Attributes:
        task: What is to be read; None for the one so far, or the only one that there is.
        follows: The channel to follow from now on; None for the one so far.
        retry: Whether what is in quarantine is tried again.
        latency_ms: What reading a picture may take at most.
        limits: How long to wait for the server.
    """

    task: str | None = None
    follows: Follows | None = None
    retry: bool = False
    latency_ms: float = LATENCY_MS
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Pulled:
    """What came of a pull.

    Attributes:
        outcome: `switched` to another release; `kept` the one that is right; `quarantined`: what the registry says is
            not used here; `returned`, as the one in use was withdrawn; `nothing` is there to be used.
        release: What the registry says, or None.
        current: The release in use now, or None.
        message: The same for people.
    """

    outcome: Outcome
    release: int | None
    current: int | None
    message: str


def pull(
    store: Store, source: Source, settings: PullSettings | None = None, progress: Progress = lambda _done, _all: None
) -> Pulled:
    """Pulls the release that this device is to use, and switches to it.

    Args:
        store: What the device holds.
        source: Where to ask.
        settings: What a person chose.
        progress: Is told of bytes that came, and of all.

    Raises:
        RefusedUpdateError: The registry breaks a rule; what was used is used.
        UpdateError: The server cannot be reached, or has no such task; or another process pulls.
        SettingError: There are several tasks, and none was named.
        ManifestError: A channel or a pin is none.
        StorageError: The disk is full, or a symbolic link is in the store.
    """
    store.make()
    with _alone(store), _refusals_kept(store):
        return _Pull(store, source, settings or PullSettings(), progress).run()


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Keeps others from pulling meanwhile."""
    refuse_link(store.directory / LOCK)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(store.directory / LOCK, what=f"pulling releases into {store.directory}"))
        except SettingError as error:  # no fault of whoever watches: it passes
            raise UpdateError(str(error)) from error
        yield


@contextmanager
def _refusals_kept(store: Store) -> Iterator[None]:
    """Keeps what was refused among the facts."""
    try:
        yield
    except RefusedUpdateError as error:
        rule = error.rule
        store.change(lambda state: state.with_fact("refused", None, rule, now()))
        raise


class _Pull:
    """One pull, from the question to the switch."""

    def __init__(self, store: Store, source: Source, settings: PullSettings, progress: Progress) -> None:
        self._store, self._source, self._settings, self._progress = store, source, settings, progress
        timestamp = f"{source.url}{METADATA}timestamp.json"
        with refusals_named():
            self._fetcher = Fetcher(
                source.address, source.ca, conditional=frozenset({timestamp}), limits=settings.limits
            )

    def run(self) -> Pulled:
        try:
            with refreshed(self._store.trust, self._source.url, self._source.root, self._fetcher) as (updater, scratch):
                return self._follow(updater, scratch)
        finally:
            self._fetcher.close()

    def _follow(self, updater: Updater, scratch: Path) -> Pulled:
        task = self._task(updater, scratch)
        channel = self._channel(updater, task)
        state = self._store.state()
        follows = self._settings.follows or state.follows
        identity = self._source.key_fingerprint or state.alias
        bucket = bucket_of(identity, channel.trial.salt) if channel.trial else 0
        wanted = channel.release_for(bucket, follows)
        pin = self._pin(updater, identity, task)
        if pin is not None and pin.release not in channel.withdrawn:
            wanted = pin.release
        self._store.change(lambda each: replace(self._recognised(updater, each), follows=follows, pulled_at=now()))
        left = self._leave_withdrawn(channel)
        if wanted is None:
            pulled = Pulled("nothing", None, self._current(), "the registry names no release to use yet")
        else:
            pulled = self._to(updater, wanted, task)
        pulled = pulled if left is None else self._returned(pulled, left)
        try:
            self._keep_trial(updater, channel, task)
        except RefusedUpdateError:
            raise
        except (UpdateError, StorageError) as error:  # the next pull tries again
            return replace(pulled, message=f"{pulled.message}; the one to compare it with did not come: {error}")
        return pulled

    def _task(self, updater: Updater, scratch: Path) -> str:
        """The task that is named, or was; or the only one that has a channel."""
        chosen = self._settings.task or self._store.state().task
        if chosen is not None:
            return chosen
        updater.get_targetinfo(f"{_CHANNELS}.json")  # has the role's metadata loaded and verified
        path = scratch / f"{CHANNELS_ROLE}.json"
        signed = Metadata[Targets].from_file(str(path)).signed.targets if path.is_file() else {}
        tasks = sorted(
            name.removeprefix(_CHANNELS).removesuffix(".json") for name in signed if name.startswith(_CHANNELS)
        )
        if not tasks:
            raise UpdateError("the registry has no channel yet: wait until the operator has published a release")
        if len(tasks) > 1:
            raise SettingError(f"the registry has releases of {', '.join(tasks)}: name one with --task")
        return tasks[0]

    def _channel(self, updater: Updater, task: str) -> Channel:
        content = self._document(updater, channel_path(task))
        if content is None:
            raise UpdateError(f"the registry has no channel for the task {task}: name another with --task")
        channel = Channel.decode(content, where=channel_path(task))
        if channel.task != task:
            raise RefusedUpdateError(Rule.MANIFEST, f"the channel of {task} is of {channel.task}")
        return channel

    def _pin(self, updater: Updater, identity: str, task: str) -> Pin | None:
        path = pin_path(identity, task)
        content = self._document(updater, path)
        pin = None if content is None else Pin.decode(content, where=path)
        if pin is not None and pin.task != task:
            raise RefusedUpdateError(Rule.MANIFEST, f"a pin of {task} is of {pin.task}")
        return pin

    def _document(self, updater: Updater, path: str) -> bytes | None:
        """A channel or a pin; what has not changed is here already."""
        target = updater.get_targetinfo(path)
        if target is None:
            return None
        if target.length > _DOCUMENT_BYTES:
            raise RefusedUpdateError(Rule.LENGTH, f"{path} has {target.length} bytes")
        directory = self._store.trust / "documents"
        refuse_link(directory)
        make_private(directory)
        kept = directory / path.replace("/", "-")
        if not download.has(kept, target):
            self._fetch(target, kept)
        refuse_link(kept)
        return kept.read_bytes()

    def _fetch(self, target: TargetFile, to: Path, progress: download.Progress = lambda _: None) -> None:
        with refusals_named(of_a_file=True):
            download.fetch(self._fetcher, download.url_of(self._source.url, target), target, to, progress)

    def _recognised(self, updater: Updater, state: State) -> State:
        """What the device knows, with the releases told apart that this registry has never had (rule 6)."""

        def is_ours(name: str) -> bool:
            target = updater.get_targetinfo(release_path(number_of(name), MANIFEST))
            return target is not None and name_of(number_of(name), target.hashes.get("sha256", "")) == name

        return replace(
            state,
            registry=self._source.registry,
            foreign=tuple(sorted(name for name in state.held if not is_ours(name))),
            quarantined={name: why for name, why in state.quarantined.items() if is_ours(name)},
            on_trial=state.on_trial if state.on_trial and is_ours(state.on_trial) else None,
        )

    def _leave_withdrawn(self, channel: Channel) -> int | None:
        """Leaves what was withdrawn; returns what was in use, where it was."""
        state = self._store.state()
        ours = state.kept - {*state.foreign} if state.task == channel.task else set()
        gone = [name for name in ours if number_of(name) in channel.withdrawn]
        for name in sorted(gone, key=lambda name: name == state.current):  # first those that it might go back to
            self._store.give_up(name, Reason.WITHDRAWN)
        return number_of(state.current) if state.current in gone and state.current else None

    @staticmethod
    def _returned(pulled: Pulled, left: int) -> Pulled:
        """What came of a pull that left a release, as it was withdrawn."""
        withdrawn = f"release {left} was withdrawn"
        if pulled.outcome not in {"kept", "nothing"}:
            return replace(pulled, message=f"{withdrawn}; {pulled.message}")
        used = f"release {pulled.current} is in use now" if pulled.current else "there is no other"
        return replace(pulled, outcome="returned", message=f"{withdrawn}; {used}")

    def _to(self, updater: Updater, release: int, task: str) -> Pulled:
        targets = self._targets(updater, release)
        name = name_of(release, targets[MANIFEST].hashes["sha256"])
        state = self._store.state()
        if state.current == name and self._is_whole(name, targets):
            self._store.change(lambda each: replace(each, task=task))  # a state that was damaged does not say
            self._store.tidy()
            return Pulled("kept", release, release, f"release {release} is in use, and is the one to use")
        reason = None if self._settings.retry else self._store.is_quarantined(name)
        if reason is not None:
            return Pulled(
                "quarantined",
                release,
                self._current(),
                f"release {release} is the one to use, and is not used here ({reason}); --retry tries it again",
            )
        directory = self._store.path(name) if self._is_whole(name, targets) else self._bring(name, targets)
        self._check(directory, release, task)
        return self._try(directory, name, task)

    def _keep_trial(self, updater: Updater, channel: Channel, task: str) -> None:
        """Brings the release on trial beside the one in use, to be compared with it; one that is not well goes."""
        trial, name, state = channel.trial, None, self._store.state()
        comparable = state.task in {None, task} and state.current not in state.foreign
        if comparable and trial is not None and trial.release not in channel.withdrawn:
            targets = self._targets(updater, trial.release)
            name = name_of(trial.release, targets[MANIFEST].hashes["sha256"])
            if name == state.current or self._store.is_quarantined(name) is not None:
                name = None
            elif not self._is_whole(name, targets):
                directory = self._bring(name, targets)
                self._check(directory, trial.release, task)
                name = name if self._is_well(directory, name) is None else None
        if name is not None:
            self._store.settle(name)
        self._store.change(lambda state: replace(state, on_trial=name))
        self._store.tidy()

    def _targets(self, updater: Updater, release: int) -> dict[str, TargetFile]:
        """The files of a release by name, as they were signed."""
        found = {}
        for file in (MANIFEST, MODEL, MODEL_CARD):
            target = updater.get_targetinfo(release_path(release, file))
            if target is not None:
                found[file] = target
        if MANIFEST not in found or MODEL not in found:
            raise RefusedUpdateError(Rule.MANIFEST, f"release {release} is to be used, and the registry lacks it")
        download.url_of("", found[MANIFEST])  # has a SHA-256
        return found

    def _is_whole(self, name: str, targets: dict[str, TargetFile]) -> bool:
        directory = self._store.releases / name
        return not directory.is_symlink() and all(
            not (directory / file).is_symlink() and download.has(directory / file, target)
            for file, target in targets.items()
        )

    def _bring(self, name: str, targets: dict[str, TargetFile]) -> Path:
        """Fetches what is missing of a release into `incoming`, synced."""
        directory = self._store.incoming / name
        for entry in self._store.incoming.iterdir():
            if entry.name != name:
                remove(entry)
        refuse_link(directory)
        make_private(directory)
        whole = sum(target.length for target in targets.values())
        here = sum(path.stat().st_size for path in directory.iterdir() if path.is_file() and not path.is_symlink())
        _need_space(directory, whole - here)
        done = 0

        def came(count: int) -> None:
            nonlocal done
            done += count
            self._progress(min(here + done, whole), whole)

        for file, target in targets.items():
            refuse_link(directory / file)
            if not download.has(directory / file, target):
                self._fetch(target, directory / file, came)
        sync_directory(directory)
        sync_directory(self._store.incoming)
        return directory

    @staticmethod
    def _check(directory: Path, release: int, task: str) -> None:
        """Whether a release is the one that its place says.

        Raises:
            RefusedUpdateError: It is another one, or none.
        """
        try:
            manifest, _ = read_release(directory)
        except ManifestError as error:
            remove(directory)
            raise RefusedUpdateError(Rule.MANIFEST, f"release {release}: {_without_path(error, directory)}") from error
        if (manifest.release, manifest.task) != (release, task):
            remove(directory)
            raise RefusedUpdateError(
                Rule.MANIFEST,
                f"in the place of release {release} of {task} is release {manifest.release} of {manifest.task}",
            )

    def _try(self, directory: Path, name: str, task: str) -> Pulled:
        """Tries a release, and switches to it where it is well."""
        release = number_of(name)
        why = self._is_well(directory, name)
        if why is not None:
            self._store.tidy()
            used = self._current()
            goes_on = f"release {used} goes on" if used else "there is no other"
            return Pulled("quarantined", release, used, f"release {release} is not used here ({why}); {goes_on}")
        self._store.switch(name, task)
        self._store.tidy()
        return Pulled("switched", release, release, f"release {release} is in use now")

    def _is_well(self, directory: Path, name: str) -> str | None:
        """Tries a release on this processor; why it goes into quarantine, or None where it is well."""
        health = examine(directory, latency_ms=self._settings.latency_ms)
        reason, took = health.reason, health.latency_ms
        if reason is None:
            if took is not None:
                self._store.change(lambda state: state.well(name, took))
            return None

        def quarantine(state: State) -> State:
            after = replace(state, quarantined={**state.quarantined, name: Quarantine(reason, software())})
            return after.with_fact("quarantined", name, reason, now())

        self._store.change(quarantine)
        return f"{reason}: {_without_path(health.message, directory)}"

    def _current(self) -> int | None:
        current = self._store.state().current
        return None if current is None else number_of(current)


def _need_space(directory: Path, missing: int) -> None:
    """Refuses to begin what the disk cannot hold.

    Raises:
        StorageError: It cannot.
    """
    free = shutil.disk_usage(directory).free
    if free < missing + _RESERVE_BYTES:
        raise StorageError(
            f"the release takes {missing / 1e6:.1f} MB, {_RESERVE_BYTES / 1e6:.0f} MB are to stay free, and the disk "
            f"of {directory} has {free / 1e6:.1f} MB; free space"
        )


def _without_path(message: object, directory: Path) -> str:
    return str(message).replace(f"{directory}/", "").replace(f"{directory}: ", "")
