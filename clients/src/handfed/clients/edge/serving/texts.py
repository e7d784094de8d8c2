"""Which texts beside pictures were written from here: so one is known again whose .json is gone.

    .handfed-watch.texts    in the folder: a line a text, the SHA-256 of the picture's path in the folder and the text

Rules:
1. A line is on the disk before its text is. One that a power cut tore spoils no other.
2. Only its user may read it: whoever guesses what a picture says could see that he is right.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from handfed.shared.files import sha256_of, sync_directory

FILE: Final = ".handfed-watch.texts"


class Texts:
    """The texts that were written from here.

    Args:
        directory: The folder.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def hold(self, picture: Path, text: bytes) -> bool:
        """Whether a text of a picture is one of them.

        Raises:
            OSError: The file cannot be read.
        """
        line = self._line(picture, text)
        try:
            handle = os.open(self._directory / FILE, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        with os.fdopen(handle, "rb") as file:
            return any(each == line for each in file)

    def add(self, picture: Path, text: bytes) -> None:
        """Says that a text is going to be written.

        Raises:
            OSError: The file cannot be written.
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(self._directory / FILE, flags, 0o600), "wb") as file:
            file.write(b"\n" + self._line(picture, text))
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self._directory)

    def _line(self, picture: Path, text: bytes) -> bytes:
        name = os.fsencode(picture.relative_to(self._directory))
        return sha256_of(name + b"\0" + text).encode("ascii") + b"\n"
