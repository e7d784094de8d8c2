"""The libraries that forms need and a device does not: they come with the extra `handfed-clients[forms]`."""

from __future__ import annotations

import importlib
from typing import Final

from handfed.shared.errors import MissingExtraError

EXTRA: Final = "handfed-clients[forms]"


def require(*libraries: str) -> None:
    """Makes sure that libraries are there, before work begins.

    Raises:
        MissingExtraError: One is not installed.
    """
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError:
            raise MissingExtraError(library, EXTRA) from None
