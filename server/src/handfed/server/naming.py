"""Names that people give to organisations, tokens and devices."""

from __future__ import annotations

import unicodedata

from handfed.shared.errors import SettingError
from handfed.shared.printable import printable

MAX_NAME = 100


def checked_name(name: str, what: str) -> str:
    """A name in its one form: without blanks around it, blanks within it single, characters composed (Unicode NFC).

    Args:
        name: What a person wrote.
        what: What is named, for the message.

    Raises:
        SettingError: Nothing is left, it is too long, or it holds what cannot be shown.
    """
    written = " ".join(unicodedata.normalize("NFC", name).split())
    if not written:
        raise SettingError(f"{what} needs a name")
    if len(written) > MAX_NAME:
        raise SettingError(f"the name of {what} has {len(written)} characters; {MAX_NAME} are allowed")
    if printable(written) != written:
        raise SettingError(f"the name of {what} holds a character that cannot be shown")
    return written
