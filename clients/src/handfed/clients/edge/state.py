"""What a device says of its releases in `state.json`: which is used, which were, which are not to be; what happened.

Rules:
1. It has a format number; unknown fields are passed over, a newer format is refused.
2. What happened is kept as facts to be told to the server, of rules, reasons and numbers only: no path, no reading.

3. A release that has read a picture here is not given up for the sake of ones that have not: of those before the one in
   use, two that have stay, however many came meanwhile and read nothing.
4. All that is used, was used and is on trial reads one task: what is gone back to reads what is asked for.

Fields: those of `State`. `marks` and `crashes` are the crash guard's (`handfed.clients.edge.store`). A file from before
there were `good` and `marks` has `proved` and `mark`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self, get_args

from handfed.clients.edge.marks import Mark
from handfed.shared.errors import StorageError
from handfed.shared.registry import Follows

FORMAT: Final = 1
_FACTS: Final = 100  # that are kept
_ALIAS_BYTES: Final = 32


class Reason(StrEnum):
    """Why a release is not used here."""

    SELF_TEST = "self-test"  # it gives other logits here than its manifest says
    LATENCY = "latency"  # it reads too slowly here
    CRASH = "crash"  # it ended the process, twice
    UNUSABLE = "unusable"  # this software cannot open it
    DAMAGED = "damaged"  # its files are not what they were
    WITHDRAWN = "withdrawn"  # the registry took it back
    BY_HAND = "by-hand"  # somebody went back


@dataclass(frozen=True)
class Quarantine:
    """A release that is not tried again.

    Attributes:
        reason: Why.
        software: Versions that it was found with: with others it is tried again, as they may have been the cause.
    """

    reason: Reason
    software: str


@dataclass(frozen=True)
class Fact:
    """Something that happened, to be told to the server.

    Attributes:
        what: `switched` to a release, `returned` from one, `quarantined` one, `not compared` one on trial, or `refused`
            what a registry offered.
        release: The release's directory name, or null.
        reason: A `Reason`; of a refusal the rule, of a comparison the kind of error or the signal.
        at: When last, RFC 3339.
        times: How often in a row.
    """

    what: str
    release: str | None
    reason: str | None
    at: str
    times: int = 1


@dataclass(frozen=True)
class State:
    """What a device knows of its releases. A release is named as its directory.

    Attributes:
        task: What is read; None before the first pull.
        follows: The channel that the device follows.
        current: The release that is used.
        previous: Those to go back to, the last one first.
        good: Of both, those that have read a picture here.
        on_trial: The one that is compared with it in shadow, whole and well here; None where there is none.
        quarantined: Those that are not used.
        registry: Which registry was pulled from last (`Source.registry`); what is on trial or quarantined is of that.
        foreign: Of the releases above, those that it does not know: they are of a federation that the device has left.
        marks: Work with a release that has not proved itself, from which nobody has come back yet.
        crashes: How many processes did not come back.
        facts: What happened, oldest first.
        pulled_at: When the registry was last asked with success, RFC 3339.
        alias: 64 hex digits, random: stands for the key of a device that has none.
        speeds: Of releases that were tried and well, milliseconds to read one picture here, as it was then.
    """

    task: str | None = None
    follows: Follows = "stable"
    current: str | None = None
    previous: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    on_trial: str | None = None
    quarantined: Mapping[str, Quarantine] = field(default_factory=dict)
    registry: str | None = None
    foreign: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    crashes: int = 0
    facts: tuple[Fact, ...] = ()
    pulled_at: str | None = None
    alias: str = field(default_factory=lambda: secrets.token_hex(_ALIAS_BYTES))
    speeds: Mapping[str, float] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        """Whether the release in use has read a picture here."""
        return self.current in self.good

    @property
    def held(self) -> tuple[str, ...]:
        """The release in use, and those to go back to."""
        return tuple(dict.fromkeys((*((self.current,) if self.current else ()), *self.previous)))

    @property
    def kept(self) -> set[str]:
        """Releases whose files stay."""
        return {*self.held, *((self.on_trial,) if self.on_trial else ())}

    def switched(self, name: str, task: str) -> Self:
        """With another release in use, tried and well. Those before it stay until it has proved itself (rule 3)."""
        same = self.task in {None, task}
        before = [each for each in self.held if each != name] if same else []
        good = [each for each in before if each in self.good]
        return replace(
            self,
            task=task,
            current=name,
            previous=tuple((good or before)[:2]),
            on_trial=self.on_trial if same else None,
            quarantined={each: why for each, why in self.quarantined.items() if each != name},
            marks=(),
            crashes=0,
        ).pruned()

    def well(self, name: str, latency_ms: float) -> Self:
        """With a release that was tried here: how long it takes to read a picture."""
        speeds = {each: speed for each, speed in self.speeds.items() if each in self.kept}
        return replace(self, speeds={**speeds, name: latency_ms})

    def proven(self) -> Self:
        """After the release in use has read a picture: the last two good ones stay."""
        good = (*self.good, *((self.current,) if self.current else ()))
        return replace(self, good=good, previous=self.previous[:1], marks=(), crashes=0).pruned()

    def without(self, name: str, quarantine: Quarantine | None) -> Self:
        """With a release given up; where it was in use, the one before is."""
        previous = tuple(each for each in self.previous if each != name)
        left = replace(
            self,
            previous=previous,
            good=tuple(each for each in self.good if each != name),
            on_trial=None if self.on_trial == name else self.on_trial,
            quarantined={**self.quarantined, **({name: quarantine} if quarantine else {})},
        )
        if self.current != name:
            return left
        current, rest = (previous[0], previous[1:]) if previous else (None, ())
        return replace(left, current=current, previous=rest, marks=(), crashes=0)

    def pruned(self) -> Self:
        """Without what is known of releases that are not held any more."""
        good, foreign = ({*self.held} & {*names} for names in (self.good, self.foreign))
        return replace(self, good=tuple(sorted(good)), foreign=tuple(sorted(foreign)))

    def with_fact(self, what: str, release: str | None, reason: str | None, at: str) -> Self:
        """With something that happened; what happens again is counted."""
        facts, fact = self.facts, Fact(what, release, reason, at)
        if facts and (facts[-1].what, facts[-1].release, facts[-1].reason) == (what, release, reason):
            facts, fact = facts[:-1], replace(fact, times=facts[-1].times + 1)
        return replace(self, facts=(*facts, fact)[-_FACTS:])

    def encode(self) -> bytes:
        """The file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Reads the file.

        Raises:
            ValueError: It is damaged.
            StorageError: It is of a newer format.
        """
        document: Any = json.loads(content)
        if not isinstance(document, dict) or type(document.get("format")) is not int:
            raise ValueError("no format")
        if document["format"] > FORMAT:
            raise StorageError("what this device holds was written by a newer handfed: update this software")
        try:
            return cls._of(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(str(error)) from error

    @classmethod
    def _of(cls, document: Mapping[str, Any]) -> Self:
        known = _known(cls, document)
        known["previous"] = tuple(known.get("previous", ()))
        known["quarantined"] = {
            name: Quarantine(_reason(each["reason"]), str(each["software"]))
            for name, each in known.get("quarantined", {}).items()
        }
        marks = document.get("marks", [document["mark"]] if document.get("mark") else [])
        known["marks"] = tuple(Mark(**_known(Mark, each)) for each in marks)
        used = [known.get("current")] if document.get("proved") else []
        known["good"] = tuple(document.get("good", [*used, *known["previous"]]))
        known["foreign"] = tuple(known.get("foreign", ()))
        known["speeds"] = {name: float(speed) for name, speed in known.get("speeds", {}).items()}
        known["facts"] = tuple(Fact(**_known(Fact, each)) for each in known.get("facts", ()))
        state = cls(**known)
        perhaps = (state.task, state.current, state.on_trial, state.registry, state.pulled_at)
        texts = [state.alias, *(each for each in perhaps if each is not None)]
        texts += [*state.previous, *state.good, *state.foreign]
        if state.follows not in get_args(Follows) or any(type(each) is not str for each in texts):
            raise ValueError("a field has the wrong form")
        return state


def _known(kind: type[Fact | Mark | State], document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in kind.__dataclass_fields__ if name in document}


def _reason(text: str) -> Reason:
    """A reason; one of a newer software is still one."""
    return Reason(text) if text in set(Reason) else Reason.UNUSABLE
