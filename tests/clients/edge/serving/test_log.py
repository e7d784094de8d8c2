"""The log of a service tells nothing of pictures, whoever would."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

PROGRAM = """
import logging, sys
from pathlib import Path
from handfed.clients.edge.pictures import read_picture
from handfed.clients.edge.serving import log
from handfed.shared.errors import ImageError
from PIL import TiffImagePlugin
if sys.argv[1] == "log":
    log.start()
for path in map(Path, sys.argv[2:]):
    try:
        read_picture(path, where="it")
    except ImageError:
        pass
logging.getLogger("handfed").info("%d of them", len(sys.argv) - 2)
print(len(getattr(TiffImagePlugin, "__warningregistry__", {"version": 0})) - 1)
sys.stderr.write("the end\\n")
"""


def tiff(path: Path, *, tag: int | None = None) -> Path:
    """A TIFF with a tag that is longer than the file; or one of LZW whose codes libtiff takes offence at."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "TIFF", compression=None if tag else "tiff_lzw")
    content = bytearray(file.getvalue())
    if tag is None:
        content[28:408] = b"\xff" * 380
    else:
        (directory,) = struct.unpack_from("<I", content, 4)
        (count,) = struct.unpack_from("<H", content, directory)
        struct.pack_into("<HHII", content, directory + 2 + 12 * (count - 1), tag, 5, 10**6, 8)
    path.write_bytes(content)
    return path


def said(mode: str, *paths: Path) -> tuple[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONWARNINGS": "default"},
    )
    return done.stdout.strip(), done.stderr.splitlines()


def test_neither_pillow_nor_libtiff_writes_of_a_picture_into_the_log(tmp_path: Path) -> None:
    odd = [tiff(tmp_path / f"{number}.tif", tag=300 + number) for number in range(3)]
    paths = [*odd, tiff(tmp_path / "lzw.tif")]
    registered, lines = said("bare", *paths)
    assert registered == "3"
    assert any("tempfile.tif" in line for line in lines)  # as libtiff calls it
    registered, lines = said("log", *paths)
    assert registered == "0"
    assert len(lines) == 2
    assert lines[0].endswith(" INFO 4 of them")
    assert lines[1] == "the end"
