"""What a running device must not forget when it is killed: `session.json`.

Rules:
1. The node's id is kept with the key that it belongs to; after a change of keys it counts for nothing.
2. The message that is worked on is on record from before its content is fetched until its answer is sent: a server
   hands a message out once, so whoever comes back answers that it was lost. Only Flower's metadata of it is kept.
3. A disk that cannot be written costs a wait of a minute after the next `kill -9`, and nothing else.
"""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any, Final

from handfed.shared.errors import StorageError
from handfed.shared.files import write_atomically

FILE: Final = "session.json"
_FORMAT: Final = 1

_log = logging.getLogger(__name__)


class Journal:
    """The file and what is in it.

    Args:
        folder: The device's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        found = self._read()
        self._key: str = found.get("key", "")
        self._node_id = int(found.get("node", 0))
        self._message = base64.b64decode(found.get("message", ""))

    def node_id(self, key: str) -> int | None:
        """The node of a key, by the key's fingerprint; None where it never began."""
        return self._node_id if self._node_id and self._key == key else None

    @property
    def message(self) -> bytes:
        """The metadata of the message that was being worked on; empty where none was."""
        return self._message

    def begin(self, key: str, node_id: int) -> None:
        """Keeps a node's id; a message of another node is none of its business."""
        if (key, node_id) != (self._key, self._node_id):
            self._key, self._node_id, self._message = key, node_id, b""
            self._write()

    def take(self, message: bytes) -> None:
        """Keeps the metadata of a message that is worked on; empty: none is."""
        self._message = message
        self._write()

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):  # none yet, or what a failing disk left of it
            return {}
        return found if isinstance(found, dict) and found.get("format") == _FORMAT else {}

    def _write(self) -> None:
        message = base64.b64encode(self._message).decode("ascii")
        # The id is a text, since JSON's numbers end before an unsigned integer of 64 bits does.
        document = {"format": _FORMAT, "key": self._key, "node": str(self._node_id), "message": message}
        try:
            write_atomically(self._path, json.dumps(document).encode())
        except StorageError as error:
            _log.warning("%s; the device goes on without it", error)
