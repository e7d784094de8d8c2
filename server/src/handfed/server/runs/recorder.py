"""Writes what happens in a run to the record, as it happens.

While the record cannot be written (another process has it locked, the disk is full, its server is away), the run waits:
what the devices have trained is kept until there is a place for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy.exc import OperationalError

from handfed.server.flower.queries import Device
from handfed.server.flower.state import RunState
from handfed.server.runs.schemas import Rejection, RoundResult
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import StorageError

_PAUSE_S: Final = 5.0
_log = logging.getLogger(__name__)


class Recorder:
    """A listener that records each round when it ends.

    Args:
        record: The record of runs.
        run_id: The run.
    """

    def __init__(self, record: RunRecord, run_id: int) -> None:
        self._record = record
        self._run_id = run_id
        self._absent: tuple[Rejection, ...] = ()

    def described(self, _devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """Keeps who takes no part, and why, for the record of the next round."""
        self._absent += rejections

    def round_started(self, number: int, phase: str, asked: int) -> None:
        """Nothing to record: a round is recorded whole or not at all."""

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        """Records the round with its devices and rejections, and where the run stands after it."""
        whole = replace(result, rejections=(*self._absent, *result.rejections))
        once_writable(lambda: self._record.add_round(self._run_id, whole, state.to_bytes()))
        self._absent = ()


def once_writable(write: Callable[[], None], *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Writes to the record, again and again while that is locked, full or away.

    Args:
        write: Writes all or nothing.
        sleep: Waits so many seconds.

    Raises:
        StorageError: It refuses what is written, which time does not mend.
    """
    while True:
        try:
            return write()
        except StorageError as error:
            if not isinstance(error.__cause__, OperationalError):
                raise
            _log.warning("%s; the run waits until it can", error)
        sleep(_PAUSE_S)
