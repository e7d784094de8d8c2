"""What devices report counts where their key has signed it, and the newest report counts alone."""

from __future__ import annotations

from typing import Any

import pytest

from handfed.server.people.principals import Principal
from handfed.server.promotion.evidence import reported
from handfed.server.promotion.reports import ReportRefusedError
from handfed.shared.release_reports import Condition, Report, ReportError, Standing


def newest(world: Any, device: int) -> Report | None:
    with world.database.read() as session:
        found: Report | None = reported(session)[device].report
    return found


def text(sequence: int, release: int = 1) -> str:
    return Report(sequence, (Standing(release, Condition.HEALTHY, in_use=True),)).encode()


def test_the_newest_report_takes_the_place_of_those_before(world: Any) -> None:
    assert newest(world, 1) is None
    for sequence, release in ((1, 5), (3, 6), (2, 7), (3, 8)):
        world.send(1, text(sequence, release))
    found = newest(world, 1)
    assert found is not None
    assert (found.sequence, found.standings[0].release) == (3, 6)


def test_a_report_of_another_key_is_refused(world: Any) -> None:
    with pytest.raises(ReportRefusedError):
        world.send(1, text(1), by=2)
    assert newest(world, 1) is None


def test_a_report_for_another_device_is_refused(world: Any) -> None:
    world.keys[99] = world.keys[1]
    for device in (99, 2):
        with pytest.raises(ReportRefusedError):
            world.send(device, text(1), by=1)


def test_who_was_revoked_reports_no_more(world: Any, services: Any) -> None:
    services.devices.revoke(Principal("Ada", "admin"), 1)
    with pytest.raises(ReportRefusedError):
        world.send(1, text(1))


def test_what_is_no_report_is_refused_though_it_is_signed(world: Any) -> None:
    with pytest.raises(ReportError):
        world.send(1, "{}")


def test_reports_are_listed_to_who_may_see_the_device(world: Any, admin: Any) -> None:
    world.send(2, text(1, release=5))
    listed = world.reports.list(admin).items
    assert [(each.device, each.standings[0].release, each.standings[0].in_use) for each in listed] == [(2, 5, True)]
    assert world.reports.list(Principal("Ed", "viewer", organisation=1)).items == listed
    assert not world.reports.list(Principal("Fo", "viewer", organisation=2)).items
