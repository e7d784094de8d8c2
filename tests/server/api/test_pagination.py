"""Pages over HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

from handfed.server.people.principals import Principal

ADA = Principal("Ada", "admin")


def _walk(world: Any, url: str) -> list[Any]:
    found: list[Any] = []
    while url:
        answer = world.ask("federation admin", "GET", url)
        assert answer.status_code == 200
        found += answer.json()["items"]
        link = re.fullmatch(r'<(/[^>]+)>; rel="next"', answer.headers.get("link", ""))
        url = link[1] if link else ""
    return found


@pytest.mark.parametrize("limit", [1, 2, 7, 500])
def test_links_lead_through_everything_once(world: Any, limit: int) -> None:
    for number in range(5):
        world.services.organisations.add(ADA, f"more {number}")
    found = _walk(world, f"/api/v1/organisations?limit={limit}")
    assert [item["number"] for item in found] == list(range(1, 8))


def test_a_link_keeps_what_was_asked_for(world: Any) -> None:
    found = _walk(world, "/api/v1/audit?limit=1&object=organisation&who=Ada&since=2020-01-01T00:00:00%2B00:00")
    assert [item["object"] for item in found] == ["organisation/1", "organisation/2"]


def test_runs_come_newest_first_and_rounds_in_order(world: Any) -> None:
    from handfed.server.runs.schemas import RunStart
    from handfed.server.runs.service import RunRecord

    RunRecord(world.services.database).start(RunStart("digits", "cnn", "fedavg", 1, {}, 3, "e"))
    assert [run["id"] for run in _walk(world, "/api/v1/runs?limit=1")] == [2, 1]
    assert [run["id"] for run in _walk(world, "/api/v1/runs?status=failed")] == [1]
    assert [row["number"] for row in _walk(world, "/api/v1/runs/1/rounds?limit=2")] == [1, 2, 3]
    rejections = _walk(world, "/api/v1/runs/1/rejections?limit=2")
    assert [row["device"] for row in rejections] == ["18446744073709551615"] * 3


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=-1", f"after={2**31}"])
def test_a_page_that_cannot_be_is_refused(world: Any, query: str) -> None:
    assert world.ask("federation admin", "GET", f"/api/v1/devices?{query}").status_code == 422
