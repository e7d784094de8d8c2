"""Where a device keeps what is its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from handfed.clients.device import folder
from handfed.shared.errors import StorageError


def test_the_option_comes_before_the_environment_and_the_default_is_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/teacher")
    monkeypatch.delenv("HANDFED_DEVICE_DIR", raising=False)
    assert folder.locate(None) == Path("/home/teacher/.local/share/handfed-device")
    monkeypatch.setenv("HANDFED_DEVICE_DIR", "")
    assert folder.locate(None) == Path("/home/teacher/.local/share/handfed-device")
    monkeypatch.setenv("HANDFED_DEVICE_DIR", "~/device")
    assert folder.locate(None) == Path("/home/teacher/device")
    assert folder.locate(Path("/mnt")) == Path("/mnt")
    assert folder.store_in(Path("/mnt")) == Path("/mnt/store")


def test_only_its_user_may_open_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder.make_private(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(StorageError, match="--data"):
        folder.make_private(tmp_path / "a")
