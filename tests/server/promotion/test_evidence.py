"""How a release does against its champion, as people read it."""

from __future__ import annotations

from typing import Any

import pytest

from handfed.server.promotion.evidence import HeldOut
from handfed.shared.errors import NotFoundError
from handfed.shared.release_reports import Condition, Standing


def test_the_first_of_its_task_has_nothing_to_be_compared_with(world: Any) -> None:
    world.publish(1)
    world.look()
    found = world.promotions.evidence(1)
    assert (found.champion, found.samples, found.difference) == (None, 0, None)


def test_what_devices_compared_is_told_with_its_interval_and_the_verdict_that_decides(world: Any) -> None:
    world.publish(1)
    world.look()
    world.publish(2)
    world.look()
    world.all_compare(1, 2, only_candidate=40, only_champion=10)
    found = world.promotions.evidence(2)
    assert (found.champion, found.devices, found.samples, found.expected) == (1, 6, 6000, 6000)
    assert (found.only_candidate, found.only_champion, found.verdict) == (240, 60, "not-worse")
    assert found.difference is not None
    assert found.difference.difference == pytest.approx(0.03)
    assert found.difference.low < 0.03 < found.difference.high


def test_how_devices_are_that_use_it_is_told(world: Any) -> None:
    world.publish(1)
    world.look()
    world.all_use(1)
    health = world.promotions.evidence(1).health
    assert (health.asked, health.healthy, health.slow) == (6, 6, 0)


def test_how_long_it_takes_is_told_over_devices_from_five_on(world: Any) -> None:
    world.publish(1)
    world.look()
    for device, took in zip(sorted(world.keys), (0.06, 0.2, 0.21, 1.0), strict=False):
        world.report(device, Standing(1, Condition.HEALTHY, in_use=True, latency_ms=took))
    assert world.promotions.evidence(1).latency is None
    world.report(sorted(world.keys)[4], Standing(1, Condition.HEALTHY, in_use=True, latency_ms=300.0))
    found = world.promotions.evidence(1).latency
    assert (found.devices, found.median) == (5, 0.21)
    assert found.bins == (0, 1, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 1)
    assert 0.06 <= found.p10 < found.p90 <= 300


def test_what_devices_hold_out_is_read_once_and_follows_a_new_key(world: Any) -> None:
    world.publish(1)
    known = HeldOut()
    with world.database.read() as session:
        first = known.of(session, 1)
    assert first == {str(device): 1000 for device in world.keys}
    with world.database.write() as session:
        from handfed.server.runs.models import DeviceRound

        session.query(DeviceRound).delete()
    with world.database.read() as session:
        assert known.of(session, 1) == first


@pytest.mark.parametrize("release", [7, 1 << 40])
def test_of_what_is_not_on_its_way_there_is_no_evidence(world: Any, release: int) -> None:
    with pytest.raises(NotFoundError):
        world.promotions.evidence(release)
