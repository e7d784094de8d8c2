"""What a device recognises with, on LiteRT, NumPy and Pillow alone: no TensorFlow, no web framework.

`Recogniser` opens a release and reads pictures; `Reading` is what it says of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handfed.clients.edge.recogniser import Reading, Recogniser

__all__ = ["Reading", "Recogniser"]


def __getattr__(name: str) -> object:
    """Loads the recogniser at its first use (PEP 562): the command line's help has no use for NumPy."""
    if name in __all__:
        from handfed.clients.edge import recogniser

        return getattr(recogniser, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
