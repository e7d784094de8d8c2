"""Whoever reads for others uses what the device pulled, from one picture to the next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handfed.clients.edge.serving.supply import Source, Supply
from handfed.clients.edge.state import Reason

if TYPE_CHECKING:
    from tests.clients.edge.pulling.conftest import Device


def test_a_supply_follows_switches_and_going_back(device: Device) -> None:
    supply = Supply(Source.of_device(device.folder))
    first = supply()
    assert first.release == 1
    device.pull()  # which writes the state, and changes nothing
    assert supply() is first
    device.registry.offer(2)
    device.pull()
    assert supply().release == 2
    device.store.give_up(str(device.store.state().current), Reason.BY_HAND)
    assert supply().release == 1


def test_a_batch_proves_a_release_too(device: Device) -> None:
    device.registry.offer(2)
    device.pull()
    recogniser = Supply(Source.of_device(device.folder))()
    assert recogniser.manifest is not None
    assert not device.store.state().proved
    recogniser.read_each(recogniser.manifest.self_test.pictures[..., 0])
    assert device.store.state().proved


def test_what_was_pulled_is_used_where_nothing_was_named_and_no_data_directory_holds_a_release(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(device.folder))
    assert Source.chosen(None, tmp_path / "none").open().release == 1
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "0007").symlink_to(device.store.path(str(device.store.state().current)))
    assert Source.chosen(None, tmp_path).stamp() != Source.of_device(device.folder).stamp()
    monkeypatch.setenv("HANDFED_DEVICE_DIR", str(tmp_path / "nobody"))
    assert Source.chosen("7", tmp_path).open().release == 1
    assert Source.chosen(None, tmp_path, device=device.folder).stamp() == Source.of_device(device.folder).stamp()
