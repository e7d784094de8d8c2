"""Pictures of handwriting, small enough to stand within the page: what was misread, and how devices' images differ.

A picture is a PNG whose ink is black and whose paper is transparent: its opacity is the ink, so that the page can show
it on its own paper, and turn it round in the dark.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from handfed.simulations.report.contents import Report

MOST = 24


@dataclass(frozen=True)
class Tile:
    """One misread image.

    Attributes:
        picture: Its PNG as a data URL (RFC 2397).
        label: The class that was written.
        reading: The class that INT8 read.
        float_reading: The class that the float model read.
    """

    picture: str
    label: str
    reading: str
    float_reading: str


@dataclass(frozen=True)
class Sample:
    """An image of one device.

    Attributes:
        picture: Its PNG as a data URL (RFC 2397).
        device: Number of the device, counted from 0.
        label: The class that was written.
        style: What is special about how this device's images look.
    """

    picture: str
    device: int
    label: str
    style: str


def misread(report: Report) -> list[Tile]:
    """Images that INT8 misread, in the order of what was written and read: all, or of many an even pick."""
    found = report.evaluation
    rows = np.flatnonzero(found.readings != found.labels)
    if len(rows) > MOST:
        rows = rows[np.linspace(0, len(rows) - 1, MOST).round().astype(np.int64)]
    rows = rows[np.lexsort((rows, found.readings[rows], found.labels[rows]))]
    names = report.dataset.alphabet.names
    return [
        Tile(
            _data_url(report.held_out_images[row]),
            names[found.labels[row]],
            names[found.readings[row]],
            names[found.float_readings[row]],
        )
        for row in rows
    ]


def of_devices(report: Report) -> list[Sample]:
    """A held-out image of each device where their images look different: all devices, or of many an even pick.

    As far as they can be, the images are of one class, that which most devices have, so that only looks differ.
    """
    found = report.evaluation
    if not (report.styles and len(found.labels)):
        return []
    devices = np.unique(found.device)
    if len(devices) > MOST:
        devices = devices[np.linspace(0, len(devices) - 1, MOST).round().astype(np.int64)]
    pairs = np.unique(np.stack([found.device, found.labels]), axis=1)
    usual = int(np.bincount(pairs[1][np.isin(pairs[0], devices)]).argmax())
    rows = [_one_of(found.device == device, found.labels == usual) for device in devices]
    names = report.dataset.alphabet.names
    return [
        Sample(_data_url(report.held_out_images[row]), int(device), names[found.labels[row]], report.styles[device])
        for row, device in zip(rows, devices, strict=True)
    ]


def _one_of(there: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> int:
    """The first row that is there and wanted, or else the first that is there."""
    both = there & wanted
    return int((both if both.any() else there).argmax())


def _data_url(image: NDArray[np.uint8]) -> str:
    """The PNG of an image, uint8 (height, width), 0 is paper and 255 is ink."""
    file = io.BytesIO()
    Image.fromarray(np.stack([np.zeros_like(image), image], axis=-1)).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
