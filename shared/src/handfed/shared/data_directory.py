"""Where a machine keeps what Handfed writes: one data directory.

    <data directory>/
    ├── handfed.db      the record of runs and releases (SQLite), unless a database is named
    ├── releases/       published models, a directory each, named by number
    └── runs/           of each run its scenario and its report, and the pages of sweeps

For each place the order is: the option of the command, then the environment, then the default.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

DIRECTORY_VARIABLE = "HANDFED_DATA_DIR"
DATABASE_VARIABLE = "HANDFED_DATABASE"
DEFAULT = Path("handfed-data")
RUNNING = "running.lock"  # in a server's; held while it runs


def locate(option: Path | None) -> Path:
    """The data directory; it need not exist yet.

    Args:
        option: What the command line says; without it HANDFED_DATA_DIR counts, then ./handfed-data.
    """
    chosen = option or os.environ.get(DIRECTORY_VARIABLE) or DEFAULT
    return Path(chosen).expanduser()


def releases_in(directory: Path) -> Path:
    """Where published models are, within a data directory."""
    return directory / "releases"


def runs_in(directory: Path) -> Path:
    """Where scenarios and reports of runs are, within a data directory."""
    return directory / "runs"


def database_url(directory: Path, option: str | None) -> str:
    """The URL of the database that keeps the record of runs and releases.

    Args:
        directory: The data directory, where the database is unless one is named.
        option: What the command line says; without it HANDFED_DATABASE counts, then <directory>/handfed.db.

    Returns:
        A database URL; the default's path is absolute, and percent-encoded as it may hold a `?` (RFC 3986).
    """
    chosen = option or os.environ.get(DATABASE_VARIABLE)
    return chosen or "sqlite:///" + quote(os.fsencode((directory / "handfed.db").absolute()))
