"""Where data is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from handfed.shared import data_directory


def test_the_option_comes_before_the_environment_and_the_default_is_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HANDFED_DATA_DIR", raising=False)
    assert data_directory.locate(None) == Path("handfed-data")
    monkeypatch.setenv("HANDFED_DATA_DIR", "/srv/handfed")
    assert data_directory.locate(None) == Path("/srv/handfed")
    assert data_directory.locate(Path("/mnt")) == Path("/mnt")


def test_an_empty_environment_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDFED_DATA_DIR", "")
    monkeypatch.setenv("HANDFED_DATABASE", "")
    assert data_directory.locate(None) == Path("handfed-data")
    assert data_directory.database_url(Path("/srv"), None) == "sqlite:////srv/handfed.db"


def test_a_home_directory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/teacher")
    assert data_directory.locate(Path("~/data")) == Path("/home/teacher/data")


def test_releases_and_runs_have_directories_of_their_own() -> None:
    assert data_directory.releases_in(Path("/srv")) == Path("/srv/releases")
    assert data_directory.runs_in(Path("/srv")) == Path("/srv/runs")


def test_a_named_database_comes_before_the_environment_and_the_directory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HANDFED_DATABASE", "postgresql://host/a")
    assert data_directory.database_url(Path("/srv"), "postgresql://host/b") == "postgresql://host/b"
    assert data_directory.database_url(Path("/srv"), None) == "postgresql://host/a"


def test_the_default_database_stays_where_it_is_when_the_working_directory_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HANDFED_DATABASE", raising=False)
    monkeypatch.chdir(tmp_path)
    url = data_directory.database_url(Path("what? 100%"), None)
    assert unquote(url.removeprefix("sqlite:///")) == str(tmp_path / "what? 100%" / "handfed.db")
    assert "?" not in url


def test_an_edge_device_needs_no_database_library() -> None:
    code = "import sys, handfed.shared.data_directory; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
