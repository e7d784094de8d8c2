"""What a device recognises with, on LiteRT, NumPy and Pillow alone: no TensorFlow, no web framework.

`Recogniser` opens a release and reads pictures; `Reading` is what it says of one; `read_picture` decodes a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handfed.clients.edge.pictures import read_picture
    from handfed.clients.edge.recogniser import Reading, Recogniser

__all__ = ["Reading", "Recogniser", "read_picture"]


def __getattr__(name: str) -> object:
    """Loads what is exported at its first use (PEP 562): the command line's help has no use for NumPy."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from handfed.clients.edge import pictures, recogniser

    return getattr(pictures if name == "read_picture" else recogniser, name)
