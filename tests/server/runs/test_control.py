"""Runs are started, stopped and resumed by operators of the federation, one at a time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from handfed.server.api.services import Services
from handfed.server.database import Database
from handfed.server.devices.models import DeviceRow
from handfed.server.people.models import OrganisationRow
from handfed.server.people.principals import Principal
from handfed.server.runs.control import ENGINE, RunControl, RunQueue
from handfed.server.runs.events import Feed
from handfed.server.runs.schemas import RoundResult, RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import ConflictError, ForbiddenError, NotFoundError, SettingError
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import NOT_SETTINGS, Subject

ADA = Principal("Ada", "operator")


@pytest.fixture
def control(database: Database) -> RunControl:
    return RunControl(database)


@pytest.fixture
def queue(database: Database) -> RunQueue:
    return RunQueue(database)


def test_a_run_on_record_says_all_that_its_process_needs(control: RunControl) -> None:
    run = control.start(ADA, "words", {"rounds": 5}, alphabet=Alphabet(("a", "b", "c")))
    assert (run.status, run.task, run.recogniser, run.engine) == ("queued", "words", "tcn", ENGINE)
    assert Subject.from_config(run.settings) == Subject(Alphabet(("a", "b", "c")), "words", 32)
    kept = {name: value for name, value in run.settings.items() if name not in NOT_SETTINGS | {"licence"}}
    assert RunSettings.from_mapping(kept) == RunSettings(recogniser="tcn", rounds=5, sampling="fair", norm_bound=10.0)


def test_a_run_whose_updates_nobody_looks_at_bounds_none(control: RunControl) -> None:
    run = control.start(ADA, "digits", {"visibility": "secure", "clip_update": 5.0})
    assert (run.settings["norm_bound"], run.settings["sampling"]) == (0.0, "fair")


def test_a_run_on_record_says_how_many_devices_are_enrolled(control: RunControl, database: Database) -> None:
    moment = datetime.now(UTC)
    with database.write() as session:
        session.add(OrganisationRow(number=1, name="Clinic North", created_at=moment))
        session.flush()
        for name, state in (("a", "enrolled"), ("b", "enrolled"), ("c", "revoked")):
            session.add(DeviceRow(organisation=1, name=name, state=state, versions={}, enrolled_at=moment))
    assert control.start(ADA).devices == 2


@pytest.mark.parametrize(
    ("task", "settings", "reason"),
    [
        ("cheques", {}, "there is no task"),
        ("characters", {}, "name an alphabet"),
        ("digits", {"round": 3}, "did you mean rounds"),
        ("digits", {"recogniser": "tcn"}, "reads words and lines"),
        ("digits", {"rounds": 0}, "rounds"),
    ],
)
def test_what_is_wrong_is_told_before_a_run_is_on_record(
    control: RunControl, database: Database, task: str, settings: dict[str, object], reason: str
) -> None:
    with pytest.raises(SettingError, match=reason):
        control.start(ADA, task, settings)
    assert RunRecord(database).list() == ()


@pytest.mark.parametrize("who", [Principal("Vi", "viewer"), Principal("Sam", "admin", organisation=1)])
def test_only_an_operator_of_the_federation_may(control: RunControl, who: Principal) -> None:
    run = control.start(ADA).id
    for forbidden in (lambda: control.start(who), lambda: control.stop(who, run), lambda: control.resume(who, run)):
        with pytest.raises(ForbiddenError):
            forbidden()


def test_runs_take_turns_in_the_order_in_which_they_were_asked_for(control: RunControl, queue: RunQueue) -> None:
    first, second = (control.start(ADA).id for _ in range(2))
    assert queue.take() == first
    assert queue.take() == first  # a server that comes back goes on with it
    control.stop(ADA, first)
    assert not queue.is_running(first)
    assert queue.take() == second
    control.resume(ADA, first)
    assert queue.take() == second


def test_a_run_that_has_ended_is_not_stopped_and_one_that_goes_on_is_not_resumed(
    control: RunControl, queue: RunQueue
) -> None:
    run = control.start(ADA).id
    queue.take()
    with pytest.raises(ConflictError, match="is running"):
        control.resume(ADA, run)
    control.stop(ADA, run)
    with pytest.raises(ConflictError, match="is stopped already"):
        control.stop(ADA, run)


def test_a_simulation_is_no_run_of_the_federation(control: RunControl, queue: RunQueue, database: Database) -> None:
    simulated = RunRecord(database).start(RunStart("digits", "cnn", "fedavg", 0, {}, 2, "pool"))
    assert queue.take() is None
    for missing in (simulated, 99, 10**12):
        with pytest.raises(NotFoundError):
            control.stop(ADA, missing)


def test_every_change_is_in_the_audit_log(control: RunControl, services: Services) -> None:
    run = control.start(ADA).id
    control.stop(ADA, run)
    control.resume(ADA, run)
    entries = services.audit.list(Principal("A", "admin")).items
    assert [(entry.who, entry.verb, entry.object) for entry in entries] == [
        ("Ada", verb, f"run/{run}") for verb in ("start", "stop", "resume")
    ]


def events(services: Services, run: int, after: int = 0) -> list[str]:
    async def all_of_them() -> list[str]:
        return [each async for each in Feed(services.runs.news).follow(run, after, lambda: None)]

    return asyncio.run(all_of_them())


def test_events_are_the_rounds_once_each_and_the_end(
    control: RunControl, services: Services, database: Database
) -> None:
    run = control.start(ADA).id
    RunQueue(database).take()
    record = RunRecord(database)
    for number in (1, 2, 3):
        record.add_round(run, RoundResult(number, "float", datetime.now(UTC), 1.0, 1.0, 2, 2, 10))
    record.fail(run, "for this test")

    def kinds(found: list[str]) -> list[Any]:
        return [
            [line.partition(": ")[2] for line in each.splitlines() if not line.startswith("data")]
            for each in "".join(found).removesuffix("\n\n").split("\n\n")
        ]

    assert kinds(events(services, run)) == [["1", "round"], ["2", "round"], ["3", "round"], ["end"]]
    assert kinds(events(services, run, after=2)) == [["3", "round"], ["end"]]
    assert '"status": "failed"' in events(services, run)[-1]
