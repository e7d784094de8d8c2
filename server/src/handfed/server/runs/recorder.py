"""Writes what happens in a run to the record, as it happens."""

from __future__ import annotations

from collections.abc import Mapping

from handfed.server.flower.queries import Device
from handfed.server.flower.state import RunState
from handfed.server.runs.schemas import Rejection, RoundResult
from handfed.server.runs.service import RunRecord


class Recorder:
    """A listener that records each round when it ends.

    Args:
        record: The record of runs.
        run_id: The run.
    """

    def __init__(self, record: RunRecord, run_id: int) -> None:
        self._record = record
        self._run_id = run_id

    def described(self, devices: Mapping[int, Device], rejections: tuple[Rejection, ...]) -> None:
        """Nothing to record: the run's own row says how many devices there are."""

    def round_started(self, number: int, phase: str, asked: int) -> None:
        """Nothing to record: a round is recorded whole or not at all."""

    def round_ended(self, result: RoundResult, state: RunState) -> None:
        """Records the round with its devices and rejections, and where the run stands after it."""
        self._record.add_round(self._run_id, result, state.to_bytes())
