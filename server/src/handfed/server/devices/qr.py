"""The code of an invitation as a QR picture, for a terminal, a page or a print.

The code is put in upper case, which `handfed join` reads as well: QR then needs 11 bits for two characters and not 16,
and the picture is a size smaller (ISO/IEC 18004, alphanumeric mode). Error correction is level M: 15 % may be dirt or
glare.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from segno import QRCode

_SCALE: Final = 8  # pixels a module
_TERMINAL_BORDER: Final = 2  # modules; the standard's four would make the picture taller than a terminal
_WHITE_ON_BLACK: Final = "\x1b[97;40m"
_RESET: Final = "\x1b[0m"


def terminal(code: str, *, colours: bool = True) -> str:
    """The picture in half blocks, one line of text for two rows of modules.

    Args:
        code: An invitation's code.
        colours: Whether to set white on black by escape sequences, so that it is right on a bright terminal too.
    """
    out = io.StringIO()
    _qr(code).terminal(out, compact=True, border=_TERMINAL_BORDER)
    lines = out.getvalue().splitlines()
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_RESET}" if colours else line for line in lines)


def svg(code: str) -> str:
    """The picture as an SVG document, black on white, that scales to its place on a page."""
    out = io.BytesIO()
    _qr(code).save(out, kind="svg", scale=_SCALE, light="white", omitsize=True, title="Invitation", xmldecl=False)
    return out.getvalue().decode("utf-8")


def png(code: str) -> bytes:
    """The picture as a PNG file, black on white, eight pixels a module."""
    out = io.BytesIO()
    _qr(code).save(out, kind="png", scale=_SCALE)
    return out.getvalue()


def _qr(code: str) -> QRCode:
    import segno

    return segno.make_qr(code.upper(), error="m", boost_error=False)
