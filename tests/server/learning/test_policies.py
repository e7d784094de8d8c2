"""The server starts runs by itself where an operator lets it: one at a time, not too soon, and it says why."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from handfed.server.audit.service import AuditLog
from handfed.server.audit.values import AuditFilter
from handfed.server.learning.service import Policies
from handfed.server.people.principals import Principal
from handfed.server.runs.schemas import RunStart
from handfed.shared.errors import ForbiddenError, NotFoundError, SettingError
from handfed.shared.handwriting_reports import Figure
from handfed.shared.run_settings import RunSettings

if TYPE_CHECKING:
    from tests.server.learning.conftest import World

ADA = Principal("Ada", "operator")
ADMIN = Principal("Ada", "admin")


def enough(world: World) -> None:
    for device in range(1, 7):
        world.tell(device, 200)


def enabled(world: World) -> World:
    world.clock.forward(minutes=1)
    enough(world)
    world.policies.enable(ADA, "digits", enabled=True)
    return world


def test_nothing_is_started_before_it_is_enabled(world: World) -> None:
    world.clock.forward(minutes=1)
    enough(world)
    assert world.look(days=3) == 1
    found = world.policies.explain(ADA, "digits")
    assert found.now.reason == "policy: disabled (new samples would call for a run)"
    assert found.last is None


def test_one_run_is_started_from_that_of_the_release_in_use_and_says_why(world: World) -> None:
    enabled(world)
    world.policies.change(ADA, "digits", run_settings={"rounds": 4})
    assert world.look(days=1) == 2
    assert world.look() == 2
    run = world.runs.get(2)
    assert (run.status, run.task, run.engine) == ("queued", "digits", "federation")
    chosen = {name: run.settings[name] for name in RunSettings().to_mapping()}
    expected = {"start_from": 1, "rounds": 4, "qat_rounds": 2, "sampling": "fair", "norm_bound": 10.0}
    assert RunSettings.from_mapping(chosen) == RunSettings.from_mapping(expected)
    assert world.policies.get("digits").last_run == 2
    entries = AuditLog(world.database).list(ADMIN, AuditFilter(object="run/2")).items
    assert [(each.who, each.verb, each.detail["reason"]) for each in entries] == [
        ("handfed serve", "start", "new samples: 1,200 on 6 devices that have 20 or more")
    ]
    explained = world.policies.explain(ADA, "digits")
    assert explained.now.reason.startswith("other run: run 2 goes on or waits")
    assert explained.last is not None
    assert explained.last == explained.now


def test_the_run_of_another_task_counts_as_one_that_goes_on(world: World) -> None:
    enabled(world)
    world.clock.forward(days=2)
    world.control.start(ADA, "digits")
    assert world.look() == 2
    world.run(2, "stopped")
    assert world.look() == 2
    assert world.look(days=1) == 3


def test_however_many_look_at_once_one_run_comes_of_it(world: World) -> None:
    enabled(world)
    world.clock.forward(days=2)
    others = [Policies(world.database, world.clock) for _ in range(4)]
    threads = [Thread(target=each.look) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert world.count() == 2


def test_a_cool_down_begins_when_any_run_has_ended_and_doubles_with_failures(world: World) -> None:
    enabled(world)
    world.policies.change(ADA, "digits", {"cool_down_s": 7200})
    assert world.look(hours=1) == 1
    assert world.look(hours=1) == 2
    world.run(2, "failed")
    assert world.look(hours=3) == 2
    assert world.look(hours=1) == 3
    world.run(3)
    assert world.look(hours=1) == 3
    enough(world)
    assert world.look(hours=1) == 4


def test_what_devices_told_before_a_run_was_done_is_not_new_after_it(world: World) -> None:
    enabled(world)
    for device in range(1, 7):
        world.tell(device, 200, slanting(20, 0.2), slanting(10, 0.5 + device / 100))
    assert world.look(days=2) == 2
    world.run(2)
    assert world.look(days=9) == 2
    found = {each.name: each.found for each in world.policies.explain(ADA, "digits").now.conditions}
    assert found["new samples"].startswith("0 on 0 devices")
    assert found["drift"] == "0 devices tell of new writers"


def test_it_goes_on_from_the_newest_release_that_is_in_use(world: World) -> None:
    world.control.start(ADA, "digits")
    world.run(2)
    world.publish(2, phase="candidate")
    world.clock.forward(minutes=1)
    enabled(world)
    world.look(days=2)
    assert world.runs.get(3).settings["start_from"] == 1


def test_devices_that_use_a_release_of_another_task_do_not_count(world: World) -> None:
    world.publish(None, task="words")
    world.policies.enable(ADA, "digits", enabled=True)
    for device in range(1, 7):
        world.tell(device, 200, release=2)
    assert world.look(days=2) == 1


def test_a_report_that_cannot_be_read_counts_for_nothing_and_stops_nothing(world: World) -> None:
    enabled(world)
    world.put(1, '{"format":1,"sequence":9,"standings":[],"comparisons":[],"handwriting":{"release":1,"fresh":-5}}')
    found = world.policies.explain(ADA, "digits").now
    assert any(each.found.startswith("1,000 on 5 devices") for each in found.conditions)


def test_a_run_that_cannot_be_started_is_told_and_started_once_it_can(world: World) -> None:
    enabled(world)
    world.policies.change(ADA, "digits", run_settings={"rounds": 4})
    world.control.start(ADA, "digits", {"rounds": 9, "qat_rounds": 6})
    world.run(2)
    world.clock.forward(hours=1)
    world.publish(2)
    enough(world)
    assert world.look(days=2) == 2
    last = world.policies.explain(ADA, "digits").last
    assert last is not None
    assert last.reason.startswith("a run is called for and cannot be started: qat-rounds 6 exceeds rounds 4")
    world.policies.change(ADA, "digits", run_settings={"qat_rounds": 1})
    assert world.look() == 3


def test_disabling_stops_what_comes_and_not_what_goes_on(world: World) -> None:
    enabled(world)
    assert world.look(days=2) == 2
    world.policies.enable(ADA, "digits", enabled=False)
    assert world.runs.get(2).status == "queued"
    world.run(2)
    assert world.look(days=9) == 2


@pytest.mark.parametrize(
    "wanted",
    [
        {"settings": {"least_samples": -1}},
        {"settings": {"nonsense": 1}},
        {"run_settings": {"rounds": 0}},
        {"run_settings": {"start_from": 3}},
        {"run_settings": {"recogniser": "tcn"}},
    ],
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(world: World, wanted: dict[str, Any]) -> None:
    before = world.policies.get("digits")
    with pytest.raises(SettingError):
        world.policies.change(ADA, "digits", **wanted)
    assert world.policies.get("digits") == before


def test_a_task_of_a_file_is_known_by_its_runs(world: World) -> None:
    with pytest.raises(NotFoundError, match="there is no task 'cheques'"):
        world.policies.get("cheques")
    with pytest.raises(NotFoundError, match=r"no task 'digit'; did you mean digits\? Choose of characters, "):
        world.policies.get("digit")
    world.runs.start(RunStart("cheques", "cnn", "fedavg", 1, {}, 3, "ray"))
    assert world.policies.enable(ADA, "cheques", enabled=True).task == "cheques"


def test_it_takes_an_operator_of_the_federation(world: World) -> None:
    for who in (Principal("Eve", "viewer"), Principal("Sam", "operator", organisation=1)):
        with pytest.raises(ForbiddenError):
            world.policies.change(who, "digits", {"least_samples": 1})
        with pytest.raises(ForbiddenError):
            world.policies.enable(who, "digits", enabled=True)
    with pytest.raises(ForbiddenError):
        world.policies.explain(Principal("Sam", "admin", organisation=1), "digits")


def test_what_is_decided_of_a_policy_is_in_the_audit_log(world: World) -> None:
    world.policies.change(ADA, "digits", {"least_samples": 500})
    world.policies.enable(ADA, "digits", enabled=True)
    world.policies.enable(ADA, "digits", enabled=True)
    world.policies.enable(ADA, "digits", enabled=False)
    entries = AuditLog(world.database).list(ADMIN, AuditFilter(object="learning/digits")).items
    assert [each.verb for each in entries] == ["set", "enable", "disable"]


def slanting(writers: int, mean: float) -> dict[str, Figure]:
    return {"slant": Figure(writers, mean, 0.15)}


def test_drift_starts_a_run_though_few_samples_are_new_and_is_looked_for_anew_after_it(world: World) -> None:
    world.policies.enable(ADA, "digits", enabled=True)
    for device in range(1, 7):
        world.tell(device, 20, slanting(20, 0.2), slanting(10, 0.5 + device / 100))
    assert world.look(days=2) == 2
    last = world.policies.explain(ADA, "digits").last
    assert last is not None
    assert last.reason.startswith("drift: slant differs by +2.")
    world.run(2)
    world.clock.forward(minutes=1)
    for device in range(1, 7):
        world.tell(device, 20, slanting(20, 0.2), slanting(10, 0.2 + device / 100))
    assert world.look(days=3) == 2
    found = world.policies.explain(ADA, "digits").now.conditions
    assert next(each.found for each in found if each.name == "drift").startswith("none found: slant differs by +0.")


def test_to_ask_why_is_no_look(world: World) -> None:
    enabled(world)
    for device in range(1, 7):
        world.tell(device, 20, slanting(20, 0.2), slanting(10, 0.21))
    for _ in range(20):
        found = world.policies.explain(ADA, "digits").now.conditions
    assert next(each.found for each in found if each.name == "drift").endswith("at look 1")


def test_drift_is_not_looked_for_on_devices_that_use_another_release(world: World) -> None:
    world.publish(1, phase="rolling-out")
    world.policies.enable(ADA, "digits", enabled=True)
    for device in range(1, 7):
        world.tell(device, 20, slanting(20, 0.2), slanting(10, 0.9), release=2)
    assert world.look(days=2) == 1
