"""The personal layer that a device has learnt, in its folder; `handfed.clients.device.personal` learns it.

Rules:
1. The layer is numbers that were learnt from people's handwriting. It is in `personal.json` of the device's folder,
   mode 0600, and in nothing that is sent or logged.
2. It is for one release, by its directory's name: with another one it is not used.

Format of the file: JSON, `{"format": 1, "release": "0003-...", "revision": 17, "classes": 10, "matrix": "..."}`; the
matrix is float32, little-endian, row by row, in base64; null where no layer is better than none.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from handfed.shared.errors import UsageError
from handfed.shared.files import write_atomically
from handfed.shared.personal import PersonalLayer

FILE: Final = "personal.json"
FORMAT: Final = 1


@dataclass(frozen=True)
class Learnt:
    """What was learnt, and of what.

    Attributes:
        release: Name of the release's directory.
        revision: Of the store, when it was learnt.
        layer: None where none is better than none.
    """

    release: str
    revision: int
    layer: PersonalLayer | None

    def encode(self) -> bytes:
        """The file."""
        matrix = None if self.layer is None else self.layer.matrix.astype("<f4")
        document = {
            "format": FORMAT,
            "release": self.release,
            "revision": self.revision,
            "classes": None if matrix is None else len(matrix),
            "matrix": None if matrix is None else base64.b64encode(matrix.tobytes()).decode(),
        }
        return json.dumps(document, indent=2).encode() + b"\n"


def read(folder: Path) -> Learnt | None:
    """What the file says; None where it is missing, damaged or of another format, since it can be learnt anew."""
    try:
        document: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        if document["format"] != FORMAT:
            return None
        layer = None
        if document["matrix"] is not None:
            numbers = np.frombuffer(base64.b64decode(document["matrix"], validate=True), "<f4")
            layer = PersonalLayer(numbers.reshape(document["classes"], -1).astype(np.float32))
        return Learnt(str(document["release"]), int(document["revision"]), layer)
    except (OSError, ValueError, TypeError, KeyError, binascii.Error, UsageError):
        return None


def layer_for(folder: Path, release: str, classes: int) -> PersonalLayer | None:
    """The layer to read with.

    Args:
        folder: The device's folder.
        release: Name of the directory of the release that reads.
        classes: How many it tells apart.
    """
    learnt = read(folder)
    if learnt is None or learnt.layer is None or learnt.release != release or len(learnt.layer.matrix) != classes:
        return None
    return learnt.layer


def write(folder: Path, learnt: Learnt) -> None:
    """Writes the file.

    Raises:
        StorageError: It cannot be written.
    """
    write_atomically(folder / FILE, learnt.encode())


def discard(folder: Path) -> None:
    """Removes the layer, if there is one."""
    (folder / FILE).unlink(missing_ok=True)
