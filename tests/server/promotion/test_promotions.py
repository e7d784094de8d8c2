"""Releases go from candidate to every device, or back, and devices are told what is on record."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import delete, update

from handfed.server.audit.service import AuditLog
from handfed.server.audit.values import AuditFilter
from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import judgement, reported
from handfed.server.promotion.models import PinRow, PromotionRow
from handfed.server.runs.models import DeviceRound, Run
from handfed.shared.errors import ConflictError, ForbiddenError, NotFoundError, StorageError
from handfed.shared.promotion.rules import Action
from handfed.shared.registry import Channel, bucket_of
from handfed.shared.release_reports import Comparison, Condition, Standing

ADA = Principal("Ada", "operator")
HELD_OUT = 1000  # of each device


def test_the_first_release_of_a_task_is_its_champion(world: Any) -> None:
    world.publish(1)
    world.publish(2, "words")
    assert world.look() == Channel("digits", 1)
    assert world.registry.told["words"] == Channel("words", 2)
    assert world.promotions.get(1).reason == "the first of its task"


def test_a_release_that_devices_cannot_get_yet_waits(world: Any) -> None:
    world.publish(1)
    world.publish(2)
    world.registry.in_force.discard(2)
    assert world.look() == Channel("digits", 1)
    with pytest.raises(NotFoundError):
        world.promotions.get(2)


def test_nobody_uses_a_candidate_before_it_was_judged(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    channel = world.look(days=30)
    assert (channel.champion, channel.trial.release, channel.trial.percent) == (1, 2, 0)
    assert "not enough evidence" in world.promotions.get(2).reason


def test_one_that_is_better_goes_step_by_step_to_everybody(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.all_compare(1, 2, only_candidate=12, only_champion=2)
    percents = [world.look().trial.percent]
    world.all_use(2)
    percents += [world.look(hours=2).trial.percent]
    channel = world.look(hours=2)
    assert percents == [5, 25]
    assert channel == Channel("digits", 2)
    assert (world.promotions.get(1).phase, world.promotions.get(2).phase) == ("superseded", "stable")


def test_one_that_is_worse_is_used_by_nobody(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.all_compare(1, 2, only_candidate=2, only_champion=30)
    assert world.look() == Channel("digits", 1, withdrawn=(2,))
    assert "worse by 0.30 points" in world.promotions.get(2).reason


def test_one_that_crashes_is_taken_back_and_the_one_before_is_used_again(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    for _ in range(3):
        world.promotions.by_hand(ADA, 2, Action.PROMOTE)
    assert world.look() == Channel("digits", 2)
    world.all_use(2, Condition.CRASHED)
    assert world.look() == Channel("digits", 1, withdrawn=(2,))
    assert world.promotions.get(1).phase == "stable"
    assert "release 2" in world.promotions.get(1).reason


def test_two_taken_back_lead_to_the_one_before_both(world: Any) -> None:
    for number in (1, 2, 3):
        world.publish(number)
        world.look()
        if number > 1:
            world.promotions.by_hand(ADA, number, Action.PIN)
            world.look()
    world.promotions.by_hand(ADA, 3, Action.ROLLBACK)
    assert world.look().champion == 2
    world.promotions.by_hand(ADA, 2, Action.ROLLBACK)
    assert world.look() == Channel("digits", 1, withdrawn=(2, 3))


def test_a_newer_candidate_takes_the_place_of_an_older_one(world: Any) -> None:
    for number in (1, 2, 3):
        world.publish(number)
        world.look()
    assert world.look().trial.release == 3
    assert world.promotions.get(2).phase == "superseded"
    assert world.promotions.get(3).champion == 1


def test_who_was_revoked_is_not_heard(world: Any, services: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.all_compare(1, 2, only_candidate=2, only_champion=30)
    for device in world.keys:
        services.devices.revoke(Principal("Ada", "admin"), device)
    assert world.look().trial.release == 2


def test_a_pause_holds_until_a_person_goes_on(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    assert world.promotions.by_hand(ADA, 2, Action.PAUSE, "exams").reason == "pause by hand: exams"
    world.all_compare(1, 2, only_candidate=12, only_champion=2)
    assert world.look(days=9).trial.percent == 0
    world.promotions.by_hand(ADA, 2, Action.PROMOTE)
    assert world.look().trial.percent == 5


def test_devices_are_told_only_what_has_changed(world: Any) -> None:
    world.publish(1)
    for _ in range(3):
        world.look(days=1)
    assert world.registry.changes == 1


def test_every_move_is_in_the_audit_log(world: Any, database: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.promotions.by_hand(ADA, 2, Action.PIN, "the school asked")
    entries = AuditLog(database).list(Principal("Ada", "admin"), AuditFilter()).items
    found = [(each.who, each.verb, each.object, each.detail.get("to")) for each in entries if "release/" in each.object]
    assert ("Ada", "pin", "release/2", "stable") in found
    assert ("handfed serve", "move", "release/1", "superseded") in found


@pytest.mark.parametrize(
    "who", [Principal("Ada", "viewer"), Principal("Ada", "operator", organisation=1)], ids=["viewer", "school"]
)
def test_only_an_operator_of_the_federation_decides(world: Any, who: Principal) -> None:
    world.publish(1)
    world.look()
    with pytest.raises(ForbiddenError):
        world.promotions.by_hand(who, 1, Action.ROLLBACK)


def test_what_cannot_be_done_is_refused(world: Any) -> None:
    world.publish(1)
    world.look()
    with pytest.raises(ConflictError):
        world.promotions.by_hand(ADA, 1, Action.PAUSE)
    with pytest.raises(NotFoundError):
        world.promotions.by_hand(ADA, 7, Action.PIN)


def test_what_a_simulation_made_is_used_where_a_person_says_so_alone(world: Any) -> None:
    world.publish(1)
    world.publish(2)
    with world.database.write() as session:
        session.execute(update(Run).values(engine="pool"))
    world.promotions.publish(world.registry)
    assert world.registry.told == {}
    world.promotions.by_hand(ADA, 2, Action.PIN)
    assert world.look() == Channel("digits", 2)


def test_one_that_was_pinned_again_and_taken_back_gives_its_place_back(world: Any, database: Any) -> None:
    for number in (1, 2, 3):
        world.publish(number)
        world.look()
        world.promotions.by_hand(ADA, number, Action.PIN)
    world.promotions.by_hand(ADA, 1, Action.PIN, "to compare")
    assert world.look().champion == 1
    world.promotions.by_hand(ADA, 1, Action.ROLLBACK)
    assert world.look() == Channel("digits", 3, withdrawn=(1,))
    entries = AuditLog(database).list(Principal("Ada", "admin"), AuditFilter()).items
    assert ("restore", "release/3") in [(each.verb, each.object) for each in entries]
    for number in (3, 2):
        world.promotions.by_hand(ADA, number, Action.ROLLBACK)
    assert world.look() == Channel("digits", None, withdrawn=(1, 2, 3))


def test_where_everything_was_taken_back_the_next_one_waits_for_a_person(world: Any) -> None:
    world.publish(1)
    world.look()
    world.promotions.by_hand(ADA, 1, Action.ROLLBACK)
    world.publish(2)
    channel = world.look(days=30)
    assert (channel.champion, channel.trial.percent) == (None, 0)
    for _ in range(3):
        world.promotions.by_hand(ADA, 2, Action.PROMOTE)
    assert world.look().champion == 2


def test_what_was_shown_against_another_champion_shows_nothing(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    for _ in range(3):
        world.promotions.by_hand(ADA, 2, Action.PROMOTE)
    world.publish(3)
    world.look()
    world.all_compare(2, 3, only_candidate=12, only_champion=2)
    assert world.look().trial.percent == 5
    world.promotions.by_hand(ADA, 2, Action.ROLLBACK)
    world.all_use(3)
    channel = world.look(days=3)
    assert (channel.champion, channel.trial.percent) == (1, 5)
    assert "not enough evidence" in world.promotions.get(3).reason
    world.all_compare(1, 3, only_candidate=12, only_champion=2)
    world.look()
    assert "not enough evidence" not in world.promotions.get(3).reason


def test_a_release_of_a_run_that_saw_only_sums_says_that_a_person_decides(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    with world.database.write() as session:
        session.execute(delete(DeviceRound))
    world.look()
    world.all_compare(1, 2, only_candidate=12, only_champion=2)
    assert world.look(days=3).trial.percent == 0
    assert "a person decides" in world.promotions.get(2).reason


def test_one_that_fails_in_shadow_is_used_by_nobody(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.all_use(2, Condition.FAILED_SELF_TEST)
    assert world.look() == Channel("digits", 1, withdrawn=(2,))


def test_canaries_are_heard_wherever_their_bucket_is(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    with world.database.write() as session:
        session.execute(update(PromotionRow).values(salt=salt_of_nobody(world, 5)))
    world.promotions.by_hand(ADA, 2, Action.PROMOTE)
    assert world.look().trial.percent == 5
    world.all_use(2, Condition.CRASHED)
    assert world.look() == Channel("digits", 1, withdrawn=(2,))


def test_who_reads_another_task_or_is_told_to_use_another_release_is_not_waited_for(world: Any) -> None:
    world.publish(1)
    world.publish(3, "words")
    world.look()
    world.publish(2)
    world.look()
    world.all_compare(1, 2, only_candidate=12, only_champion=2)
    for _ in range(2):
        world.promotions.by_hand(ADA, 2, Action.PROMOTE)
    with world.database.write() as session:
        session.execute(update(PromotionRow).values(salt=salt_of_everybody(world, 25)))
        session.add(PinRow(device=6, task="digits", release=1))
    well = Standing(2, Condition.HEALTHY, in_use=True)
    compared = (Comparison(1, 2, HELD_OUT, 12, 2),)
    for device in (1, 2):
        world.report(device, well, compared=compared)
    for device in (3, 4, 5):
        world.report(device, Standing(3, Condition.HEALTHY, in_use=True), compared=compared)
    world.report(6, Standing(1, Condition.HEALTHY, in_use=True), compared=compared)
    assert world.look(hours=2) == Channel("digits", 2)


def test_what_cannot_be_told_of_one_task_keeps_nothing_back_of_another(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(1)
    world.publish(2, "words")
    world.look()
    world.publish(3)
    world.registry.in_force.discard(3)
    world.promotions.by_hand(ADA, 3, Action.PIN)
    assert world.look() == Channel("digits", 1)
    world.registry.in_force.add(3)
    assert world.look() == Channel("digits", 3)

    tell = world.registry.set_channel

    def refuse_digits(channel: Channel) -> None:
        if channel.task == "digits":
            raise StorageError("the disk is full")
        tell(channel)

    monkeypatch.setattr(world.registry, "set_channel", refuse_digits)
    for number in (2, 3):
        world.promotions.by_hand(ADA, number, Action.ROLLBACK)
    with pytest.raises(StorageError, match="the disk is full"):
        world.look()
    assert world.registry.told["words"] == Channel("words", None, withdrawn=(2,))


def test_a_decision_waits_for_one_that_is_being_made(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.all_compare(1, 2, only_candidate=12, only_champion=2)
    begun, go_on = Event(), Event()

    def slowly(*given: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return judgement(*given)

    monkeypatch.setattr("handfed.server.promotion.service.judgement", slowly)
    with ThreadPoolExecutor(2) as threads:
        review = threads.submit(world.look)
        assert begun.wait(60)
        decision = threads.submit(world.promotions.by_hand, ADA, 2, Action.ROLLBACK, "it is bad")
        with pytest.raises(TimeoutError):
            decision.result(0.3)
        go_on.set()
        review.result(60)
        assert decision.result(60).phase == "rolled-back"
    assert world.promotions.get(2).reason == "rollback by hand: it is bad"


def salt_of_nobody(world: Any, percent: int) -> str:
    return _salt(lambda salt: all(bucket >= percent for bucket in _buckets(world, salt)))


def salt_of_everybody(world: Any, percent: int) -> str:
    return _salt(lambda salt: all(bucket < percent for bucket in _buckets(world, salt)))


def _salt(fits: Callable[[str], bool]) -> str:
    return next(salt for salt in (f"{number:032x}" for number in range(100_000)) if fits(salt))


def _buckets(world: Any, salt: str) -> list[int]:
    with world.database.read() as session:
        return [bucket_of(device.fingerprint, salt) for device in reported(session).values()]
