"""Keeping the chatter of native libraries off the terminal.

TensorFlow and LiteRT write to file descriptor 2 from C++, past `sys.stderr` and past every Python logger, and LiteRT
has no switch for it. So the descriptor itself leads elsewhere for a moment.

Rules:
1. A descriptor belongs to the whole process: one thread at a time redirects it, and what other threads write to it
   meanwhile is kept back too. So the block is short.
2. When the block fails, everything that was kept back is written after all.
3. A process without a standard error is left as it is.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Final

_STDERR: Final = 2
_TURN: Final = threading.RLock()  # without it two threads could swap the descriptor for good


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what native code writes to standard error out of sight, unless the block fails."""
    with _TURN:
        try:
            terminal = os.dup(_STDERR)
        except OSError:  # closed, as a daemon's may be
            yield
            return
        try:
            yield from _redirected(terminal)
        finally:
            os.close(terminal)


def _redirected(terminal: int) -> Iterator[None]:
    with os.fdopen(_scratch(), "w+b", buffering=0) as kept:
        _flush()
        os.dup2(kept.fileno(), _STDERR)
        try:
            yield
        except BaseException:
            _flush()
            kept.seek(0)
            os.dup2(terminal, _STDERR)
            os.write(_STDERR, kept.read())
            raise
        finally:
            _flush()
            os.dup2(terminal, _STDERR)


def _scratch() -> int:
    """A descriptor of an empty file that is gone when it is closed; in memory where the system can."""
    if hasattr(os, "memfd_create"):  # a device may have no directory to write to
        return os.memfd_create("handfed-stderr")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _flush() -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.flush()
