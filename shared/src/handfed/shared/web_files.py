"""Files of a page that a device serves to its own browser: what the part that has them gives the part that serves them.

Clients and dashboards are strangers. Whoever has a page for a device names a function of no arguments under the entry
point group `GROUP`; it gives `WebFiles`, and `handfed edge serve` serves them below `/NAME/`, NAME being the entry
point's. Nothing that thinks is among them: they are files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

GROUP: Final = "handfed.edge.web"


@dataclass(frozen=True)
class WebFile:
    """A file as it is sent.

    Attributes:
        content: Its bytes.
        media_type: As Content-Type has it.
        tag: Changes when the content does; a strong ETag, with its quotation marks.
        headers: What is said besides, such as the Content-Security-Policy.
    """

    content: bytes
    media_type: str
    tag: str
    headers: Mapping[str, str] = field(default_factory=dict)


WebFiles = Mapping[str, Callable[[], WebFile]]
"""By path below the page's own; the empty one is the page. Each is read when it is asked for."""
