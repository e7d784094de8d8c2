"""Alphabets by name or from a file: which classes a task has, whatever its data shows of them.

    digits          0 to 9
    letters         A to Z, a to z
    alphanumeric    digits, then letters: the 62 classes of EMNIST ByClass and NIST SD 19
    labels          those that occur in the data, in code point order
    a path          a UTF-8 text file with a class name on each line; a line of one space is the space between words

Devices of one federation must share an alphabet, and no device has every character; so it is named, and not made of
what one of them holds.
"""

from __future__ import annotations

import string
from pathlib import Path
from typing import Final

from handfed.shared.alphabet import Alphabet
from handfed.shared.errors import DatasetError

LABELS: Final = "labels"
NAMED: Final[dict[str, tuple[str, ...]]] = {
    "digits": tuple(string.digits),
    "letters": tuple(string.ascii_uppercase + string.ascii_lowercase),
    "alphanumeric": tuple(string.digits + string.ascii_uppercase + string.ascii_lowercase),
}


def find(reference: str) -> Alphabet | None:
    """The alphabet that is meant.

    Args:
        reference: A name above, or the path of a file; write `./name` for a file that is called like one.

    Returns:
        The alphabet; None for that of the labels.

    Raises:
        DatasetError: There is none of that name, the file cannot be read, or it lists no alphabet.
    """
    if reference == LABELS:
        return None
    if reference in NAMED:
        return Alphabet(NAMED[reference])
    try:
        lines = Path(reference).read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise DatasetError(f"{reference}: is not UTF-8; save the alphabet as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DatasetError(
            f"{reference!r} is no alphabet: it is not one of {', '.join((*NAMED, LABELS))}, and cannot be read as a"
            f" file ({reason})"
        ) from error
    return Alphabet.of([line.rstrip("\r") for line in lines], where=reference)
