"""The log of what runs for long: a line an event, to standard error, with counts and times, and nothing of pictures.

Rules:
1. What libraries have to say of a picture is not in it: neither Pillow's log and warnings, which quote tags of a file,
   nor what libtiff and others write from C. So the log has standard error for itself, and theirs leads nowhere.
2. Nothing is remembered of a warning either: a program that runs for months would keep the words of each odd file.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Final

_FORM: Final = "%(asctime)s %(levelname)s %(message)s"
_STDERR: Final = 2


def start() -> None:
    """Begins it, for as long as the process lives."""
    _keep_standard_error()
    logging.basicConfig(format=_FORM, level=logging.INFO)
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _keep_standard_error() -> None:
    """Lets Python alone write to where standard error leads."""
    try:
        ours = os.dup(_STDERR)
    except OSError:  # closed, as a daemon's may be
        return
    sys.stderr.flush()
    sys.stderr = os.fdopen(ours, "w", buffering=1, errors="backslashreplace")
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of ours
        os.dup2(nowhere.fileno(), _STDERR)
