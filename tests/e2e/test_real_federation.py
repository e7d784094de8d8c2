"""A federation of real processes, by the commands that people type: a server, its devices, a run, a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handfed.clients.edge import Recogniser

if TYPE_CHECKING:
    from tests.e2e.conftest import Federation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # of a busy machine, whose imports take minutes

DEVICES = 2


def test_a_federation_trains_through_the_death_of_its_server_and_publishes(federation: Federation) -> None:
    federation.serve()
    assert "token" in federation.log("server")
    for number in range(DEVICES):
        federation.join(number)
        federation.run_device(number)
    run = federation.start_run(rounds=4, qat_rounds=1, local_epochs=1, float_margin=1.0, evaluate_every=2)
    federation.until(lambda: federation.rounds(run), "first round")
    federation.kill("server")
    federation.serve()
    ended = federation.ended(run)
    assert ended["run"]["status"] == "done", ended["run"]["error"]
    assert [each["number"] for each in ended["rounds"]] == [1, 2, 3, 4]
    assert {each["accepted"] for each in ended["rounds"]} == {DEVICES}
    release = Recogniser.open(federation.data / "releases" / "0001")
    release.self_test()
    assert ended["run"]["summary"]["release"] == 1
    private = ("pupil-", "pages-of-")
    assert not [word for word in private if word in federation.log("server")]
    stored = b"".join(path.read_bytes() for path in federation.data.rglob("*") if path.is_file())
    assert not [word for word in private if word.encode() in stored]
