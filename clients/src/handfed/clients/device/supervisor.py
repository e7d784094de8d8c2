"""A device's loop: it stays with its server, has messages answered, and comes back after any break.

Rules:
1. Whatever breaks is tried again for ever, with a pause that doubles up to ten seconds; but a key that the server took
   back ends the device.
2. A message is answered whatever happens to it: where the trainer fails, hangs or is killed, the server hears so at
   once. It is on record while it is worked on (`journal`), so that a device that was killed itself says so as well.
3. A device leaves no sooner than five seconds after an answer: the server would not hand it on (`fleet`). When it is
   stopped, it rather stays on the server's list for a minute.
4. Outside its hours a device is not in the federation: no round counts on it, and none waits for it. What it was asked
   for within them, it finishes.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from handfed.clients.device import credentials, keys
from handfed.clients.device.fleet import Assignment, Fleet, Reply
from handfed.clients.device.fleet_errors import (
    LinkError,
    NotActivatedError,
    RunOverError,
    UnreadableError,
    UnwelcomeError,
)
from handfed.clients.device.hours import Hours
from handfed.clients.device.journal import Journal
from handfed.clients.device.periodic_process import PeriodicProcess
from handfed.clients.device.server_clock import ServerClock
from handfed.clients.device.status import Status
from handfed.clients.device.trainer_process import TRAINER, Limits, TrainerError, TrainerProcess
from handfed.shared.errors import EnrolmentError

_BEAT_S: Final = 20.0
_BEAT_AGAIN_S: Final = 3.0
_SETTLED_S: Final = 5.0
_GLANCE_S: Final = 2.0  # at the clock, outside of hours
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
_STILL_ONLINE_S: Final = 75.0  # the server takes a silent node for gone after 60
_ID_DIGITS: Final = 8  # of a message's, in the log
_RELEASES: Final = "handfed.clients.device.release_upkeep"
_HANDWRITING: Final = "handfed.clients.device.handwriting_upkeep"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class RevokedError(EnrolmentError):
    """The server takes this device's key no more; exit status 3, after which nobody need start it again."""

    exit_status = 3

    def __init__(self) -> None:
        super().__init__(
            "the server does not know this device's key any more: its operator revoked it, or the server was set up "
            "anew. Ask the operator for a new invitation and run handfed join CODE --again"
        )


class _StoppedError(Exception):
    """The device is being stopped."""


@dataclass(frozen=True)
class DeviceSettings:
    """How a device runs.

    Attributes:
        limits: What its trainer may take.
        hours: When it takes part; None for always.
        poll_s: Seconds between questions for messages, to a server that does not hold them.
        releases_s: Seconds between looks at which release to use; 0 for none.
        handwriting_s: Seconds between looks after the handwriting (`handwriting_upkeep`); 0 for none.
        app: What answers messages; see `TrainerProcess`.
        clock: This machine's clock, seconds since 1970.
        now: The time of the day here, for `hours`.
    """

    limits: Limits = field(default_factory=Limits)
    hours: Hours | None = None
    poll_s: float = 1.0
    releases_s: float = 300.0
    handwriting_s: float = 3600.0
    app: str = TRAINER
    clock: Callable[[], float] = time.time
    now: Callable[[], datetime] = datetime.now


class Supervisor:
    """One device at work.

    Args:
        folder: The device's folder.
        settings: How it runs.
        status: Told what it does.
        stop: Set when it is to end.
    """

    def __init__(self, folder: Path, settings: DeviceSettings, status: Status, stop: threading.Event) -> None:
        self._folder = folder
        self._settings = settings
        self._status = status
        self._stop = stop
        self._clock = ServerClock(settings.clock)
        self._journal = Journal(folder)
        self._trainer = TrainerProcess(folder, settings.limits, settings.app)
        self._releases = PeriodicProcess(_RELEASES, folder, settings.releases_s)
        self._handwriting = PeriodicProcess(_HANDWRITING, folder, settings.handwriting_s)
        self._fleet: Fleet | None = None
        self._is_present = threading.Event()
        self._unwanted: str | None = None
        self._at_work: Assignment | None = None
        self._answered_at = -_SETTLED_S
        self._trouble: str | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether a message is being answered."""
        return self._at_work is not None

    def run(self) -> None:
        """Works until it is stopped.

        Raises:
            RevokedError: The server takes this device's key no more.
            HandfedError: The membership cannot be read.
        """
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        try:
            while not self._stop.is_set():
                if self._is_open():
                    self._take_part()
                else:
                    self._stay_away()
        except _StoppedError:
            pass
        finally:
            self._trainer.stop()
            self._releases.stop()
            self._handwriting.stop()

    def leave(self) -> None:
        """Tells the server that this device goes, unless an answer of it may still wait there to be handed on."""
        if self._fleet is None or not self._is_present.is_set():
            return
        self._is_present.clear()
        if time.monotonic() - self._answered_at < _SETTLED_S:
            return
        try:
            self._fleet.leave()
        except (LinkError, UnwelcomeError, NotActivatedError, RunOverError) as error:
            _log.info("left without a word: %s", error)

    def _is_open(self) -> bool:
        hours = self._settings.hours
        return hours is None or hours.includes(self._settings.now().time())

    def _stay_away(self) -> None:
        self._stop.wait(max(0.0, _SETTLED_S - (time.monotonic() - self._answered_at)))
        self.leave()
        self._trainer.stop()
        self._status.enter("outside-hours")
        _log.info("takes no part until its hours begin, %s", self._settings.hours)
        while not self._stop.wait(_GLANCE_S) and not self._is_open():
            self._status.tick()
            self._handwriting.tend()  # what is kept for some days goes at any hour

    def _take_part(self) -> None:
        self._connect()
        self._settle()
        while not self._stop.is_set() and self._is_open():
            began = time.monotonic()
            assignment = self._until_done(Fleet.receive)
            if assignment is not None:
                self._unwanted, self._at_work = None, assignment
                self._answer(assignment)
                self._at_work = None
                continue
            self._releases.tend()
            self._handwriting.tend()
            if self._trainer.let_go_if_idle():
                _log.info("the trainer was let go, as there is nothing to do")
            # A server that holds the question has waited already.
            self._stop.wait(max(0.0, self._settings.poll_s - (time.monotonic() - began)))

    def _answer(self, assignment: Assignment) -> None:
        self._journal.take(assignment.metadata)
        began = time.monotonic()
        try:
            message = self._until_done(lambda fleet: fleet.fetch(assignment))
            reply = self._worked_out(assignment, message, began)
        except RunOverError:
            _log.info("%s: the run is over", _words(assignment))
            self._journal.take(b"")
            return
        except UnreadableError as error:
            reply = self._failure(assignment, str(error), began)
        self._send(assignment, reply)

    def _worked_out(self, assignment: Assignment, message: bytes, began: float) -> Reply:
        self._status.enter("training")
        try:
            time_s = assignment.expires_at - self._clock.now().timestamp()
            answer = self._trainer.answer(message, time_s=time_s, cancelled=self._why_not)
        except TrainerError as error:
            return self._failure(assignment, str(error), began)
        return self._linked.reply(assignment, answer, time.monotonic() - began)

    def _failure(self, assignment: Assignment, reason: str, began: float) -> Reply:
        return self._linked.failure(assignment, reason, time.monotonic() - began)

    def _send(self, assignment: Assignment, reply: Reply) -> None:
        if reply.error is not None:
            _log.warning("%s: %s", _words(assignment), reply.error)
            if self._unwanted is None:
                self._status.complain(reply.error)
        try:
            self._until_done(lambda fleet: fleet.push(reply))
        except RunOverError as error:
            _log.info("%s: %s", _words(assignment), error)
        else:
            self._answered_at = time.monotonic()
            self._status.count(trained=assignment.is_training, failed=reply.error is not None)
            _log.info("%s: answered after %.1f s", _words(assignment), reply.seconds)
        self._journal.take(b"")
        self._status.enter("waiting")

    def _settle(self) -> None:
        """Answers the message that was lost when the device was killed, if one was."""
        if self._journal.message:
            lost = Assignment(self._journal.message)
            self._send(lost, self._linked.failure(lost, "the device was started anew while it worked on this"))

    def _why_not(self) -> str | None:
        """Why a message is not to be worked on any longer."""
        return "the device is being stopped" if self._stop.is_set() else self._unwanted

    @property
    def _linked(self) -> Fleet:
        return self._fleet or self._connect()

    def _until_done(self, ask: Callable[[Fleet], _T]) -> _T:
        """Asks the server until it answers, whatever breaks.

        Raises:
            RevokedError: The server takes this device's key no more.
            RunOverError: The run is over.
            UnreadableError: The message cannot be fetched.
        """
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                answer = ask(self._linked)
            except LinkError as error:
                self._broken(error, pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                if credentials.load(self._folder).address != self._linked.address:
                    self._connect()
            except UnwelcomeError:
                self._connect()  # tells whether it is the key or the time, and takes up a key that was changed
            else:
                self._mended()
                return answer

    def _mended(self) -> None:
        if self._trouble is not None:
            _log.info("the server answers again")
        self._trouble = None
        self._status.contact()
        if self._status.state == "connecting":
            self._status.enter("waiting")

    def _broken(self, error: LinkError, pause_s: float) -> None:
        if self._stop.is_set():
            raise _StoppedError
        if str(error) != self._trouble:
            self._trouble = str(error)
            _log.warning("%s", error)
            self._status.complain(str(error))
        self._status.enter("connecting")
        if self._stop.wait(pause_s * random.uniform(0.5, 1.0)):  # noqa: S311 - so that devices do not come all at once
            raise _StoppedError

    def _connect(self) -> Fleet:
        """Begins, or goes on, as the node of the key that is on the disk now.

        Raises:
            RevokedError: The server does not know that key.
            HandfedError: The membership cannot be read.
        """
        self._is_present.clear()
        refused_since: float | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                fleet = self._begun()
            except LinkError as error:
                self._broken(error, pause_s)
            except NotActivatedError:
                refused_since = refused_since or time.monotonic()
                if time.monotonic() - refused_since > _STILL_ONLINE_S:
                    raise RevokedError from None
                self._broken(
                    LinkError("the server has this device as still connected; it lets go in a minute"), pause_s
                )
            else:
                break
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._fleet = fleet
        self._is_present.set()
        _log.info("connected as node %d", fleet.node_id)
        self._mended()
        self._status.enter("waiting")
        return fleet

    def _begun(self) -> Fleet:
        enrolment = credentials.load(self._folder)
        key = credentials.read(self._folder, credentials.KEY)
        fingerprint = keys.key_fingerprint(key)
        ca = credentials.read(self._folder, credentials.CA)
        fleet = Fleet(enrolment.address, ca, key, self._clock)
        known = self._journal.node_id(fingerprint)
        if known is not None:
            fleet.node_id = known
            try:
                fleet.beat()
            except UnwelcomeError:
                _log.info("node %d is not welcome", known)
            else:
                return fleet
        try:
            self._journal.begin(fingerprint, fleet.activate())
        except UnwelcomeError as error:  # the key has no say here: only the time and the signature have
            raise LinkError("the server refuses this device's clock: set it, and the server's") from error
        except NotActivatedError:
            if known is not None:
                raise RevokedError from None
            raise
        return fleet

    def _beat(self) -> None:
        """Says from time to time that the device is there, and asks whether what it works on is still wanted."""
        pause_s = _BEAT_S
        while not self._stop.wait(pause_s):
            self._status.tick()
            pause_s = _BEAT_S
            fleet = self._fleet
            if fleet is None or not self._is_present.is_set():
                continue
            try:
                fleet.beat()
                if self._at_work is not None:
                    fleet.check_wanted(self._at_work)
            except UnwelcomeError:
                self._unwanted = "the server takes this device's key no more"
            except RunOverError:
                self._unwanted = "the run is over"
            except LinkError:  # the loop, which asks too, says so
                pause_s = _BEAT_AGAIN_S
            else:
                self._status.contact()


def _words(assignment: Assignment) -> str:
    return f"run {assignment.run}, message {assignment.message[:_ID_DIGITS]} ({assignment.kind})"
