"""A comparison on disk: a page, or its picture alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from handfed.shared.errors import SettingError
from handfed.simulations.comparison.contents import Compared
from handfed.simulations.comparison.page import picture, render
from handfed.simulations.report import documents

KINDS: Final = (".html", ".svg")


def check_kind(path: Path) -> None:
    """Checks that a file's name says what is to be in it.

    Raises:
        SettingError: It ends in none of `KINDS`.
    """
    if path.suffix.lower() not in KINDS:
        raise SettingError(f"{path}: is neither a page nor a picture; give it a name that ends in {' or '.join(KINDS)}")


def write_page(path: Path, runs: Sequence[Compared], command: str) -> None:
    """Writes the comparison: the picture alone where the name ends in `.svg`, else the page.

    Args:
        path: Where to; its folder is made where there is none.
        runs: At least one.
        command: The command that made it.

    Raises:
        StorageError: The file cannot be written.
    """
    documents.write(path, lambda: picture(runs), lambda: render(runs, command))
