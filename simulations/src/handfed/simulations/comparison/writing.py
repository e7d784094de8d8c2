"""A comparison on disk: a page, or its picture alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from handfed.shared.errors import SettingError, StorageError
from handfed.shared.files import write_atomically
from handfed.simulations.comparison.charts import standalone
from handfed.simulations.comparison.contents import Compared
from handfed.simulations.comparison.page import picture, render

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
    text = standalone(picture(runs)) if path.suffix.lower() == ".svg" else render(runs, command)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path.parent}: {error.strerror}; name another file") from error
    write_atomically(path, text.encode())
