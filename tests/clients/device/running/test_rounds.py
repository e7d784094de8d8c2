"""What a device does on its server's behalf, in processes of their own and over TLS."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.clients.device.running.conftest import MakeDevice, SuperLink


def number(reply: Any, name: str) -> int:
    return int(reply.content.metric_records["metrics"][name])


def test_rounds_are_answered_by_one_warm_process(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin(limits={"threads": 3, "niceness": 11})
    replies = [superlink.answer(superlink.ask(device.node_id)) for _ in range(3)]
    assert len({number(reply, "pid") for reply in replies}) == 1
    assert number(replies[0], "threads") == 3
    assert number(replies[0], "niceness") == 11 + os.nice(0)
    weights = replies[0].content.array_records["arrays"]["weights"].numpy()
    assert np.array_equal(weights, np.arange(1000, dtype=np.float32) + 1)
    device.until(lambda: device.said()["state"] == "waiting")
    assert device.end() == 0
    said = device.said()
    assert (said["state"], said["trained"], said["answered"], said["failed"]) == ("stopped", 3, 3, 0)
    device.until_gone(number(replies[0], "pid"))


def test_two_devices_may_send_the_very_same_arrays(superlink: SuperLink, make_device: MakeDevice) -> None:
    devices = [make_device(), make_device()]
    for device in devices:
        device.begin()
    for _ in range(3):
        messages = [superlink.ask(device.node_id) for device in devices]
        assert len({superlink.pid(message) for message in messages}) == 2


def test_what_a_trainer_raises_stays_on_the_device(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    reply = superlink.answer(superlink.ask(device.node_id, "raise"))
    assert reply.has_error()
    assert "ValueError" in reply.error.reason
    assert "Ägypten" not in reply.error.reason + device.text() + str(device.said())
    assert "takes no part" in superlink.failure(superlink.ask(device.node_id, "refuse"))
    device.until(lambda: device.said()["state"] == "waiting")
    assert "takes no part" in device.said()["last_error"]["text"]
    superlink.pid(superlink.ask(device.node_id))  # and it goes on


def test_a_trainer_that_exits_is_reported_and_replaced(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    before = superlink.pid(superlink.ask(device.node_id))
    reply = superlink.answer(superlink.ask(device.node_id, "exit"))
    assert "ended (with status 7)" in reply.error.reason
    assert superlink.pid(superlink.ask(device.node_id)) != before


@pytest.mark.slow
def test_a_trainer_that_hangs_is_killed_and_replaced(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin(limits={"step_s": 20.0})
    before = superlink.pid(superlink.ask(device.node_id))
    reply = superlink.answer(superlink.ask(device.node_id, "hang"))
    assert "hung or was too slow, and was killed after 20 s" in reply.error.reason
    device.until_gone(before)
    assert superlink.pid(superlink.ask(device.node_id)) != before


@pytest.mark.slow
def test_a_step_takes_no_longer_than_somebody_waits_for_it(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    before = superlink.pid(superlink.ask(device.node_id))
    superlink.ask(device.node_id, "hang", ttl_s=10.0)  # or nobody would hand it on to a device that is slow
    device.until_gone(before)
    assert superlink.pid(superlink.ask(device.node_id)) != before


def test_a_trainer_that_takes_too_much_memory_is_killed(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin(limits={"memory_bytes": 300_000_000})
    reply = superlink.answer(superlink.ask(device.node_id, "grow"))
    assert "more than 300 MB" in reply.error.reason


def test_a_trainer_is_let_go_when_there_is_nothing_to_do(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin(limits={"idle_s": 1.0})
    before = superlink.pid(superlink.ask(device.node_id))
    device.until_gone(before)
    assert superlink.pid(superlink.ask(device.node_id)) != before


@pytest.mark.slow
def test_outside_its_hours_a_device_is_not_in_the_federation(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.start(hours="22:00-06:00")
    device.wait_for("outside-hours")
    assert superlink.state_of(device.node_id) == "registered"
    (device.folder / "evening").touch()
    device.wait_for("waiting")
    assert superlink.state_of(device.node_id) == "online"
    superlink.pid(superlink.ask(device.node_id))
    (device.folder / "evening").unlink()
    device.wait_for("outside-hours")
    assert superlink.state_of(device.node_id) == "offline"


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
def test_a_clock_that_is_an_hour_off_is_corrected(
    superlink: SuperLink, make_device: MakeDevice, ahead_s: float
) -> None:
    device = make_device()
    device.begin(ahead_s=ahead_s)
    superlink.pid(superlink.ask(device.node_id))
    words = re.search(r"clock is (?:1 h 0 min|59 min \d+ s) (ahead|behind)", device.text())
    assert words is not None, device.text()
    assert words[1] == ("ahead" if ahead_s > 0 else "behind")


def test_being_stopped_at_work_is_said_at_once(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    message = superlink.ask(device.node_id, "hang")
    device.wait_for("training")
    assert device.end() == 0  # and does not wait for the step, which has an hour
    assert "is being stopped" in superlink.failure(message)


def test_a_device_that_was_stopped_at_rest_leaves(superlink: SuperLink, make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    assert superlink.state_of(device.node_id) == "online"
    assert device.end() == 0
    assert superlink.state_of(device.node_id) == "offline"
    device.begin()
    assert superlink.state_of(device.node_id) == "online"


def test_a_second_device_does_not_run_in_the_same_folder(make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    first = device.process
    device.start()
    assert device.ended() == 2
    assert "another process is at the device" in device.text()
    device.process = first


def test_ctrl_c_ends_a_device_like_sigterm(make_device: MakeDevice) -> None:
    device = make_device()
    device.begin()
    assert device.process is not None
    device.process.send_signal(signal.SIGINT)
    assert device.ended() == 0
    assert device.said()["state"] == "stopped"
