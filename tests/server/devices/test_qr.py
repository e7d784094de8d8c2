"""The pictures of a code show the same modules, and one that a telephone reads."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from handfed.server.devices import qr
from handfed.shared.invitation import Invitation

CODE = Invitation("server.example", bytes(range(32)), bytes(range(32, 64))).encode()
LONG = Invitation("a" * 63 + "." + "b" * 63 + "." + "c" * 63 + ".example:9443", bytes(32), bytes(32)).encode()


@pytest.mark.parametrize("code", [CODE, LONG])
def test_the_picture_holds_the_code_in_capitals_which_join_reads(code: str) -> None:
    made = qr._qr(code)
    assert (made.mode, made.error) == ("alphanumeric", "M")
    assert Invitation.decode(code.upper()) == Invitation.decode(code)


def test_terminal_and_png_show_the_same_modules() -> None:
    pixels = np.asarray(Image.open(io.BytesIO(qr.png(CODE))).convert("L"))
    border = 4 * 8
    dark = pixels[border + 4 : -border : 8, border + 4 : -border : 8] < 128
    rows = qr.terminal(CODE, colours=False).splitlines()
    halves = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
    shown = np.array([[halves[c][half] for c in row] for row in rows for half in (0, 1)], bool)
    size = len(dark)
    np.testing.assert_array_equal(shown[2 : 2 + size, 2 : 2 + size], dark)
    assert dark[:7, :7].sum() == dark[:7, -7:].sum() == dark[-7:, :7].sum() == 33  # the three finders


def test_a_bright_terminal_shows_dark_on_light_too() -> None:
    lines = qr.terminal(CODE).splitlines()
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in lines)
    assert len(lines) <= 30


def test_the_svg_scales_and_is_alone() -> None:
    root = ET.fromstring(qr.svg(CODE))  # noqa: S314 - our own
    assert root.tag.endswith("svg")
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib
    assert CODE not in qr.svg(CODE)
