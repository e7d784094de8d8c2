"""Which readings the device picks at random, to ask a person whether they are right.

What people correct of their own accord are errors; a recogniser judged by errors alone looks bad, and any other looks
better. So a fraction of all readings is picked, right ones and wrong ones alike, and what is said of these is what
releases are judged with.

Rules:
1. A pick follows from the picture and a random key of the store alone: neither the reading, nor its confidence, nor the
   release has a say, and the same picture is picked again or never.
2. Only who was shown a pick knows its id, which is a keyed hash of the picture. Feedback that brings the id answers the
   pick; feedback on the same picture without it was given of somebody's own accord.

Source: HMAC-SHA-256 (RFC 2104) as a pseudorandom function.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRACTION: Final = 0.02  # of readings, unless it is set
_ID_BYTES: Final = 12
_CHANCE_BYTES: Final = 8


@dataclass(frozen=True)
class Picks:
    """The picks of one store.

    Attributes:
        key: 32 bytes.
        fraction: Of readings that is picked, 0 to 1.
    """

    key: bytes = field(repr=False)
    fraction: float = FRACTION

    def pick(self, kind: str, image: NDArray[np.uint8]) -> str | None:
        """The id of the pick; None where the picture is not picked.

        Args:
            kind: What it shows: characters, words or lines.
            image: uint8 (height, width), normalised.
        """
        digest = self._digest(kind, image)
        chance = int.from_bytes(digest[_ID_BYTES : _ID_BYTES + _CHANCE_BYTES], "big")
        return digest[:_ID_BYTES].hex() if chance < self.fraction * 2 ** (8 * _CHANCE_BYTES) else None

    def is_of(self, pick: str, kind: str, image: NDArray[np.uint8]) -> bool:
        """Whether a pick's id is of this picture."""
        return hmac.compare_digest(pick.encode(), self._digest(kind, image)[:_ID_BYTES].hex().encode())

    def _digest(self, kind: str, image: NDArray[np.uint8]) -> bytes:
        size = "x".join(map(str, image.shape))
        return hmac.digest(self.key, f"{kind} {size}\0".encode() + np.ascontiguousarray(image).tobytes(), "sha256")
