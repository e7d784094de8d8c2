"""Where a device keeps what is its own: one folder, which nobody but its user may open.

    <folder>/
    └── store/      the private store (`handfed.clients.device.store`)

The order is: the option of the command, then HANDFED_DEVICE_DIR, then ~/.local/share/handfed-device.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from handfed.shared.errors import StorageError

VARIABLE: Final = "HANDFED_DEVICE_DIR"
DEFAULT: Final = Path("~/.local/share/handfed-device")
_PRIVATE: Final = 0o700


def locate(option: Path | None) -> Path:
    """The device's folder; it need not exist yet.

    Args:
        option: What the command line says.
    """
    return Path(option or os.environ.get(VARIABLE) or DEFAULT).expanduser()


def store_in(folder: Path) -> Path:
    """Where the private store is, within a device's folder."""
    return folder / "store"


def make_private(folder: Path) -> None:
    """Makes a folder, and those above it, unless they are there; this one with mode 0700, whatever the umask.

    Raises:
        StorageError: It cannot be made, or is another user's.
    """
    try:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        folder.chmod(_PRIVATE)
    except OSError as error:
        raise StorageError(f"cannot make the folder {folder}: {error.strerror}; choose another with --data") from error
