"""Finding a release on this machine: by number, by path, or the newest.

In the data directory each release has a directory of its own, named by its number with at least four digits; what is
named otherwise there is no release (what is still being written starts with a dot).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from handfed.shared.data_directory import releases_in
from handfed.shared.errors import ManifestError, StorageError

_NAME: Final = re.compile(r"[0-9]{4,}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NAMED: Final = 10  # releases that a message names
_ADVICE: Final = (  # nothing here tells a device from a place of releases
    "on a device run handfed edge pull, which brings the one to use; elsewhere run handfed simulate to make one"
)


def find(reference: str, data_directory: Path) -> Path:
    """The release that a person names.

    Args:
        reference: A number, of a release in the data directory; or the path of a release directory or a `.tflite` file.
        data_directory: Where releases are; it need not exist.

    Raises:
        ManifestError: There is no such release or path.
        StorageError: The data directory cannot be read.
    """
    if _NUMBER.fullmatch(reference):
        found = _all(data_directory)
        if int(reference) not in found:
            there = ", ".join(map(str, sorted(found)[-_NAMED:]))
            advice = f"the newest there are {there}" if found else _ADVICE
            raise ManifestError(f"release {int(reference)} is not in {releases_in(data_directory)}: {advice}")
        return found[int(reference)]
    path = Path(reference).expanduser()
    if not path.exists():
        raise ManifestError(f"{reference}: there is no such release directory or .tflite file; check the path")
    return path


def newest(data_directory: Path) -> Path:
    """The release with the highest number.

    Args:
        data_directory: Where releases are; it need not exist.

    Raises:
        ManifestError: There is none.
        StorageError: The data directory cannot be read.
    """
    found = _all(data_directory)
    if not found:
        raise ManifestError(
            f"there is no release in {releases_in(data_directory)}: {_ADVICE}; or name another place with --data-dir or"
            " --release"
        )
    return found[max(found)]


def are_in(data_directory: Path) -> bool:
    """Whether a data directory holds a release; it need not exist.

    Raises:
        StorageError: It cannot be read.
    """
    return bool(_all(data_directory))


def _all(data_directory: Path) -> dict[int, Path]:
    directory = releases_in(data_directory)
    try:
        entries = sorted(directory.iterdir()) if directory.exists() else []
        return {int(entry.name): entry for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir()}
    except OSError as error:
        raise StorageError(f"{directory}: cannot be read ({error.strerror}); check who owns it") from error
