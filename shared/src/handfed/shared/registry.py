"""What a federation's registry holds and where: a TUF repository whose targets are releases and who is to use which.

    /registry/metadata/         root, timestamp, snapshot, targets and channels (TUF 1.0, consistent snapshots)
    /registry/targets/          the files that they name, each as `<directory>/<sha256>.<name>`

    releases/0003/manifest.json     of release 3 (`handfed.shared.manifest`), beside every file that it names
    channels/digits.json            what devices that read a task are to use: `Channel`
    pins/<64 hex digits>.json       what one device is to use instead: `Pin`; only that device knows the name

The role `targets` signs releases, and delegates `channels/*` and `pins/*` to the role `channels`: so the key that signs
models can be kept off the server, while a roll-out goes on.

Rules:
1. A channel says of everybody at once what to use: each device finds its own bucket by the salt (`bucket_of`), so a
   server that was broken into cannot hand one device another release unseen, and no roster is published.
2. A device uses, in this order: its pin; the release on trial, where its bucket is below the trial's percentage, or
   where the device follows the channel `canary` and the trial has begun (more than 0 percent); the champion.
3. A trial of 0 percent is in shadow: devices fetch it and compare it with the champion, and none uses it.
4. What is withdrawn is used by nobody, also where a pin or an older channel names it.
5. Documents are JSON objects with a format number; unknown fields are passed over, a newer format is refused.

Source: The Update Framework 1.0.34, https://theupdateframework.github.io/specification/latest/.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

from handfed.shared.errors import ManifestError

METADATA: Final = "/registry/metadata/"
TARGETS: Final = "/registry/targets/"
CHANNELS_ROLE: Final = "channels"
DELEGATED: Final = ("channels/*", "pins/*")  # to `CHANNELS_ROLE`
FORMAT: Final = 1
BUCKETS: Final = 100

Follows = Literal["stable", "canary"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SALT: Final = re.compile(r"[0-9a-f]{32}")
_PIN: Final = b"handfed pin 1\n"
_BUCKET: Final = b"handfed bucket 1\n"


@dataclass(frozen=True)
class Trial:
    """A release on its way to everybody.

    Attributes:
        release: Its number.
        percent: How many devices in a hundred use it; 0 in shadow.
        salt: 32 hex digits, drawn anew for each trial, so that it is not always the same devices that go first.
    """

    release: int
    percent: int
    salt: str

    def takes_in(self, bucket: int, follows: Follows) -> bool:
        """Whether a device of that bucket uses it, which follows that channel."""
        return bucket < self.percent or (follows == "canary" and self.percent > 0)

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """Reads one; None of null.

        Raises:
            ValueError: It is none.
        """
        if value is None:
            return None
        percent, salt = _field(value, "percent"), _field(value, "salt")
        if type(percent) is not int or not 0 <= percent <= BUCKETS:
            raise ValueError(f"percent is {percent!r}")
        if not isinstance(salt, str) or not _SALT.fullmatch(salt):
            raise ValueError("salt is not 32 hex digits")
        return cls(_release(_field(value, "release")), percent, salt)


@dataclass(frozen=True)
class Channel:
    """What devices that read a task are to use.

    Attributes:
        task: Name of the task: lower-case letters, digits, '-' and '_'.
        champion: The release that devices use; None before the first.
        trial: A release on its way; None where there is none.
        withdrawn: Releases that nobody is to use, ascending.
    """

    task: str
    champion: int | None = None
    trial: Trial | None = None
    withdrawn: tuple[int, ...] = ()

    def release_for(self, bucket: int, follows: Follows = "stable") -> int | None:
        """The release that a device is to use; None where there is none.

        Args:
            bucket: Of the device, by the trial's salt: 0 to 99.
            follows: Which channel the device follows.
        """
        trial = self.trial
        if trial is not None and trial.release not in self.withdrawn and trial.takes_in(bucket, follows):
            return trial.release
        return None if self.champion in self.withdrawn else self.champion

    def encode(self) -> bytes:
        """The target's content."""
        return _encode({**asdict(self), "withdrawn": list(self.withdrawn)})

    @classmethod
    def decode(cls, content: bytes, *, where: str) -> Self:
        """Reads a target.

        Raises:
            ManifestError: It is no channel, or of a newer format.
        """
        value = _decode(content, where)
        try:
            champion = _field(value, "champion")
            return cls(
                task=_task(_field(value, "task")),
                champion=None if champion is None else _release(champion),
                trial=Trial.from_json(_field(value, "trial")),
                withdrawn=_releases(_field(value, "withdrawn")),
            )
        except ValueError as error:
            raise ManifestError(f"{where}: this is no channel ({error}); ask the federation's operator") from error


@dataclass(frozen=True)
class Pin:
    """What one device is to use, whatever its channel says.

    Attributes:
        task: Name of the task.
        release: The release.
    """

    task: str
    release: int

    def encode(self) -> bytes:
        """The target's content."""
        return _encode(asdict(self))

    @classmethod
    def decode(cls, content: bytes, *, where: str) -> Self:
        """Reads a target.

        Raises:
            ManifestError: It is no pin, or of a newer format.
        """
        value = _decode(content, where)
        try:
            return cls(_task(_field(value, "task")), _release(_field(value, "release")))
        except ValueError as error:
            raise ManifestError(f"{where}: this is no pin ({error}); ask the federation's operator") from error


def release_path(release: int, file: str) -> str:
    """The target path of a release's file."""
    return f"releases/{release:04d}/{file}"


def channel_path(task: str) -> str:
    """The target path of a task's channel.

    Raises:
        ManifestError: No target can have that name.
    """
    try:
        return f"channels/{_task(task)}.json"
    except ValueError as error:
        raise ManifestError(f"task {task!r} cannot have a channel: {error}; give the task a plain name") from error


def pin_path(key_fingerprint: str, task: str) -> str:
    """The target path of a device's pin: who does not know the key cannot tell whose it is.

    Args:
        key_fingerprint: SHA-256 of the device's public key (DER of its SubjectPublicKeyInfo), 64 hex digits.
        task: Name of the task.
    """
    name = hashlib.sha256(_PIN + f"{key_fingerprint}\n{task}".encode()).hexdigest()
    return f"pins/{name}.json"


def bucket_of(key_fingerprint: str, salt: str) -> int:
    """The bucket of a device in a trial: 0 to 99, as good as random, and the same whenever it is asked for.

    A larger percentage takes in more buckets and lets none go, so a device never leaves a trial that grows.

    Args:
        key_fingerprint: SHA-256 of the device's public key (DER of its SubjectPublicKeyInfo), 64 hex digits.
        salt: Of the trial.
    """
    digest = hashlib.sha256(_BUCKET + f"{salt}\n{key_fingerprint}".encode()).digest()
    return int.from_bytes(digest) % BUCKETS


def _encode(value: Mapping[str, object]) -> bytes:
    return (json.dumps({"format": FORMAT, **value}, indent=2) + "\n").encode()


def _decode(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: this is no JSON; ask the federation's operator") from error
    if not isinstance(value, dict) or type(value.get("format")) is not int:
        raise ManifestError(f"{where}: this has no format; ask the federation's operator")
    if value["format"] > FORMAT:
        raise ManifestError(f"{where}: format {value['format']} is newer than this software reads; update handfed")
    return value


def _field(value: object, name: str) -> Any:  # noqa: ANN401 - what JSON holds
    if not isinstance(value, Mapping) or name not in value:
        raise ValueError(f"{name} is missing")
    return value[name]


def _release(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is no number of a release")
    return value


def _releases(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError("withdrawn is no list")  # noqa: TRY004 - of a document, a wrong type is a wrong value
    return tuple(sorted({_release(each) for each in value}))


def _task(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a task")
    return value
