"""The run that shall go on has a process, whatever dies."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from handfed.server.database import Database
from handfed.server.flower.conductor import MOST_DEATHS, Conductor
from handfed.server.flower.link import Ticket
from handfed.server.people.principals import Principal
from handfed.server.runs.control import RunControl, RunQueue
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.server.runs.service import RunRecord

ADA = Principal("Ada", "operator")
ENDS_WELL, DIES, LIVES = "pass", "import os; os.kill(os.getpid(), 9)", "import time; time.sleep(3600)"


class Flower:
    """Flower's runs, counted."""

    def __init__(self) -> None:
        self.begun = 0
        self.open: set[int] = set()
        self.failing = 0

    def begin(self) -> Ticket:
        if self.failing:
            self.failing -= 1
            raise LookupError("what nobody thought of")
        self.begun += 1
        self.open.add(self.begun)
        return Ticket(self.begun, "token")

    def end(self, run: int) -> None:
        self.open.discard(run)


class World:
    """A conductor whose clock is moved by hand; its processes are real and do what `script` says."""

    def __init__(self, database: Database) -> None:
        self.record, self.flower, self.control = RunRecord(database), Flower(), RunControl(database)
        self.script, self.now = LIVES, 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self.processes: list[subprocess.Popen[bytes]] = []
        self.conductor = Conductor(RunQueue(database), self.record, self.flower, self._launch, lambda: self.now)

    def _launch(self, number: int, token: str) -> subprocess.Popen[bytes]:
        assert (self.record.get(number).status, token) == ("running", "token")
        self.process = subprocess.Popen([sys.executable, "-c", self.script])
        self.processes.append(self.process)
        return self.process

    def look(self, *, later: float = 0.0) -> None:
        self.now += later
        self.conductor.look()

    def until_dead(self) -> None:
        assert self.process is not None
        self.process.wait()

    def run(self, number: int) -> RecordedRun:
        return self.record.get(number)


@pytest.fixture
def world(sqlite_database: Database) -> Iterator[World]:
    made = World(sqlite_database)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def test_a_queued_run_is_given_a_process_and_a_run_of_flower(world: World) -> None:
    run = world.control.start(ADA).id
    world.look()
    assert world.run(run).status == "running"
    assert world.flower.open == {1}
    world.control.stop(ADA, run)
    world.look()
    assert world.process is not None
    assert world.process.poll() is not None
    assert (world.flower.open, world.run(run).status) == (set(), "stopped")


def test_a_process_that_dies_is_begun_again_after_a_pause_with_another_run_of_flower(world: World) -> None:
    run = world.control.start(ADA).id
    world.script = DIES
    world.look()
    world.until_dead()
    world.look()
    assert world.flower.open == set()
    world.look()
    assert world.flower.begun == 1
    world.look(later=60)
    assert (world.flower.begun, world.run(run).status) == (2, "running")


def died(world: World, between: Callable[[int], None]) -> None:
    world.script = DIES
    for death in range(MOST_DEATHS):
        world.look(later=60)
        between(death)
        world.until_dead()
        world.look()


def test_a_run_whose_process_dies_again_and_again_fails(world: World) -> None:
    run = world.control.start(ADA).id
    died(world, lambda _death: None)
    assert world.run(run).status == "failed"
    assert "died 5 times" in str(world.run(run).error)


def test_one_that_ends_rounds_meanwhile_goes_on(world: World) -> None:
    run = world.control.start(ADA).id

    def a_round(death: int) -> None:
        world.record.add_round(run, RoundResult(death + 1, "float", datetime.now(UTC), 1.0, 1.0, 2, 2, 10))

    died(world, a_round)
    assert world.run(run).status == "running"


def test_one_that_ended_well_makes_room_for_the_next(world: World) -> None:
    first, second = (world.control.start(ADA).id for _ in range(2))
    world.script = ENDS_WELL
    world.look()
    world.until_dead()
    world.record.finish(first, {})
    world.look()
    world.look()
    assert (world.run(first).status, world.run(second).status) == ("done", "running")


def test_one_that_says_that_it_ended_well_while_the_record_does_not_is_a_death(world: World) -> None:
    run = world.control.start(ADA).id
    world.script = ENDS_WELL
    world.look()
    world.until_dead()
    world.look()
    world.look()
    assert (world.flower.begun, world.run(run).status) == (1, "running")
    world.look(later=60)
    assert world.flower.begun == 2


def test_runs_are_looked_after_again_after_an_error_that_nobody_thought_of(world: World) -> None:
    world.flower.failing = 1
    run = world.control.start(ADA).id
    thread = threading.Thread(target=world.conductor.work)
    thread.start()
    try:
        while world.process is None:
            assert thread.is_alive()
            time.sleep(0.01)
    finally:
        world.conductor.close()
        thread.join()
    assert (world.flower.begun, world.run(run).status) == (1, "running")


def test_one_that_has_ended_its_run_is_left_to_end_by_itself(world: World) -> None:
    run = world.control.start(ADA).id
    world.look()
    world.record.finish(run, {})
    world.look()
    assert world.process is not None
    assert world.process.poll() is None
