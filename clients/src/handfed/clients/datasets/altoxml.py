"""A page in ALTO XML, of the versions 2 to 4: what libraries and OCR programs write.

    <alto><Description><MeasurementUnit>pixel</MeasurementUnit>
        <sourceImageInformation><fileName>0001.jpg</fileName></sourceImageInformation></Description>
      <Layout><Page WIDTH="2479" HEIGHT="3542"><PrintSpace><TextBlock>
        <TextLine ID="l1" HPOS="408" VPOS="740" WIDTH="1663" HEIGHT="97">
          <Shape><Polygon POINTS="408,746 2071,740 2071,837 408,837"/></Shape>
          <String HPOS="408" VPOS="768" WIDTH="27" HEIGHT="51" CONTENT="A"/><SP/><String ... CONTENT="MOVE"/>

Rules:
1. A line's text is that of its strings with a space between two, and a hyphen (`HYP`) at its end. Strings are
   separated by white space, says the schema, whether or not an `SP` stands there: not everyone writes it.
2. The outline is the `Polygon` of a `Shape`; without one the box HPOS, VPOS, WIDTH and HEIGHT.
3. In pixels, a page without WIDTH and HEIGHT is as large as its picture; in `mm10` and `inch1200` it must have them.
4. A file has one page. ALTO does not say who wrote it.

Source: https://github.com/altoxml/schema, alto-2-1.xsd, alto-3-1.xsd, alto-4-4.xsd.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element

from handfed.clients.datasets.regions import Outline, Page, Region, finite, parse_outline
from handfed.shared.errors import DatasetError

ROOT: Final = "alto"
_NAMESPACE: Final = re.compile(r"http://www\.loc\.gov/standards/alto/ns-v[234]#")
_TAGS: Final = {"lines": "TextLine", "words": "String"}
_BOX: Final = ("HPOS", "VPOS", "WIDTH", "HEIGHT")


def parse_page(namespace: str, root: Element, kind: str, *, where: str) -> Page:
    """The page of a file.

    Args:
        namespace: Of its root.
        root: `ROOT`.
        kind: `lines` or `words`.
        where: What is read, for the message of an error.

    Raises:
        DatasetError: It is of another version, or breaks a rule of this module; the message names the line or word.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise DatasetError(f"{where}: is ALTO of the namespace {namespace!r}; versions 2 to 4 are read: export it anew")
    pages = root.findall("Layout/Page")
    if len(pages) != 1:
        raise DatasetError(f"{where}: has {len(pages)} pages; export a file for each page")
    return Page(
        picture=(root.findtext("Description/sourceImageInformation/fileName") or "").strip(),
        size=_size(pages[0], root.findtext("Description/MeasurementUnit", "").strip(), where),
        writer=None,
        regions=[_region(element, number, where) for number, element in enumerate(pages[0].iter(_TAGS[kind]), start=1)],
    )


def _size(page: Element, unit: str, where: str) -> tuple[float, float] | None:
    if unit == "pixel" and page.get("WIDTH") is None and page.get("HEIGHT") is None:
        return None
    try:
        width, height = (finite(page.get(side, "")) for side in ("WIDTH", "HEIGHT"))
    except ValueError:
        width = height = 0.0
    if width <= 0 or height <= 0:
        raise DatasetError(
            f"{where}: the Page has no WIDTH and HEIGHT, and without them its unit ({unit or 'not stated'})"
            " cannot be related to the picture's pixels; add them, or export it in pixels"
        )
    return width, height


def _region(element: Element, number: int, where: str) -> Region:
    name = f"{element.tag} {element.get('ID', f'number {number}')!r}"
    return Region(name, _text(element), _outline(element, f"{where}, {name}"))


def _text(element: Element) -> str:
    if element.tag == _TAGS["words"]:
        return element.get("CONTENT", "")
    hyphen = element.find("HYP")
    strings = " ".join(string.get("CONTENT", "") for string in element.iter(_TAGS["words"]))
    return strings + ("" if hyphen is None else hyphen.get("CONTENT", ""))


def _outline(element: Element, where: str) -> Outline:
    polygon = element.find("Shape/Polygon")
    if polygon is not None:
        return parse_outline(polygon.get("POINTS", ""), where=where)
    try:
        left, top, width, height = (finite(element.get(side, "")) for side in _BOX)
    except ValueError:
        raise DatasetError(
            f"{where}: has neither a Polygon nor a box of {', '.join(_BOX)}; add one, or remove it"
        ) from None
    return [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
