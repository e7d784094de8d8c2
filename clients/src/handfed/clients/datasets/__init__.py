"""Reading handwriting: from files of one's own, or from what installed packages offer.

`read` takes a name or a path and returns a whole, checked `Dataset`, or says which file and row are wrong and what to
do; nothing is loaded half. `available` lists the names. A module reads each format: `npz`, `labelled` (a table and
pictures), `classfolders`, `pages` (PAGE and ALTO XML), and those of published data sets, `idx`, `mat`, `leaf`, `iam`
and `gnt`.

Writers' own ids become numbers as they are read and are not kept, unless a device's private store asks for them.
Images are decoded by Pillow (extra `edge`).
"""

from __future__ import annotations

from handfed.clients.datasets.named import NamedDataset, available
from handfed.clients.datasets.reading import FORMATS, read

__all__ = ["FORMATS", "NamedDataset", "available", "read"]
