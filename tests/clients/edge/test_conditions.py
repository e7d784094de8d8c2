"""A device pulls by itself on mains, on a network that does not count bytes, and at its hours."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from handfed.clients.device.hours import Hours
from handfed.clients.edge import conditions
from handfed.clients.edge.conditions import Conditions, is_metered, runs_on_battery

NIGHT = datetime(2026, 1, 1, 23, 0).astimezone()
NOON = datetime(2026, 1, 1, 12, 0).astimezone()


def supply(folder: Path, name: str, **says: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, word in says.items():
        (folder / name / file).write_text(f"{word}\n")


def test_a_machine_without_power_supplies_is_on_mains(tmp_path: Path) -> None:
    assert not runs_on_battery(tmp_path)
    assert not runs_on_battery(tmp_path / "none")


def test_a_battery_that_empties_is_one(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    assert runs_on_battery(tmp_path)


@pytest.mark.parametrize("kind", ["Mains", "USB"])
def test_whoever_is_plugged_in_is_on_mains(tmp_path: Path, kind: str) -> None:
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    supply(tmp_path, "ZAC", type=kind, online="1")
    assert not runs_on_battery(tmp_path)
    (tmp_path / "ZAC" / "online").write_text("0\n")
    assert runs_on_battery(tmp_path)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_a_battery_that_does_not_empty_is_none(tmp_path: Path, status: str) -> None:
    supply(tmp_path, "BAT0", type="Battery", status=status)
    assert not runs_on_battery(tmp_path)


def test_the_battery_of_a_mouse_does_not_count(tmp_path: Path) -> None:
    supply(tmp_path, "hid", type="Battery", scope="Device", status="Discharging")
    assert not runs_on_battery(tmp_path)


@pytest.mark.parametrize(
    ("said", "metered"), [("u 1", True), ("u 2", False), ("u 3", True), ("u 4", False), ("", False)]
)
def test_network_manager_says_whether_the_network_is_metered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, metered: bool
) -> None:
    program = tmp_path / "busctl"
    program.write_text(f'#!/bin/sh\n[ "$5" = org.freedesktop.NetworkManager ] && echo "{said}"\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(conditions, "_PATIENCE_S", 60.0)
    assert is_metered() is metered


def test_without_network_manager_a_network_is_not_metered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert not is_metered()


@pytest.fixture
def poor(monkeypatch: pytest.MonkeyPatch) -> None:
    """On battery, over a metered network."""
    monkeypatch.setattr(conditions, "runs_on_battery", lambda: True)
    monkeypatch.setattr(conditions, "is_metered", lambda: True)


@pytest.mark.usefixtures("poor")
def test_what_does_not_hold_is_named() -> None:
    hours = Hours.parse("22:00-06:00")
    assert Conditions(hours=hours).unmet(NOON) == "outside the hours 22:00-06:00"
    assert Conditions(hours=hours).unmet(NIGHT) == "on battery"
    assert Conditions(on_mains=False).unmet(NOON) == "the network is metered"
    assert Conditions(on_mains=False, unmetered=False, hours=hours).unmet(NIGHT) is None
