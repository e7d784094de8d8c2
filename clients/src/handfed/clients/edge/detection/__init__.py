"""Finding the characters on a picture of a page or form, and reading each: on NumPy alone.

`find_characters` gives their boxes, `read_boxes` and `read_page` what a recogniser says of each.

    ink.py          ink is parted from paper, and ruled lines are removed
    runs.py         runs of ink, and the connected components they form
    characters.py   components joined to characters
    reading.py      a sliding window over characters that touch
    boxes.py        boxes: overlap, non-maximum suppression, reading order
    drawing.py      a page with its boxes and readings drawn on it
"""

from __future__ import annotations

from handfed.clients.edge.detection.boxes import Box
from handfed.clients.edge.detection.reading import BoxReading, PageReading, find_characters, read_boxes, read_page

__all__ = ["Box", "BoxReading", "PageReading", "find_characters", "read_boxes", "read_page"]
