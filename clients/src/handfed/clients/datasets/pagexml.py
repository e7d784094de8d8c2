"""A page in PAGE XML, of PRImA's schemas from 2013 on: what Transkribus, eScriptorium, OCR-D and Aletheia write.

    <PcGts><Page imageFilename="0001.jpg" imageWidth="2479" imageHeight="3542">
      <TextRegion><TextLine id="r1l1">
        <Coords points="408,746 2071,740 2071,837 408,837"/>
        <Word id="r1l1w1"><Coords points="..."/><TextEquiv><Unicode>A</Unicode></TextEquiv></Word>
        <TextEquiv index="0"><Unicode>A MOVE to stop</Unicode></TextEquiv>

Rules:
1. Lines and words are taken wherever they stand, in the file's order, each with its own outline and text.
2. Of several texts the one with the lowest `index` counts; one without an index is of index 0.
3. A writer is named by `<MetadataItem type="author" value="...">`, which the schema of 2019 has. A `Creator` made the
   file, and not the handwriting.

Source: https://github.com/PRImA-Research-Lab/PAGE-XML, pagecontent.xsd of 2013-07-15 to 2024-07-15. Schemas before have
outlines of another form and are refused.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element

from handfed.clients.datasets.regions import Page, Region, finite, parse_outline
from handfed.shared.errors import DatasetError

ROOT: Final = "PcGts"
_NAMESPACE: Final = re.compile(r"http://schema\.primaresearch\.org/PAGE/gts/pagecontent/(?:2013|201[6-9]|2024)-07-15")
_TAGS: Final = {"lines": "TextLine", "words": "Word"}


def parse_page(namespace: str, root: Element, kind: str, *, where: str) -> Page:
    """The page of a file.

    Args:
        namespace: Of its root.
        root: `ROOT`.
        kind: `lines` or `words`.
        where: What is read, for the message of an error.

    Raises:
        DatasetError: It is of another schema, or breaks a rule of this module; the message names the line or word.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise DatasetError(
            f"{where}: is PAGE XML of the schema {namespace!r}; those of 2013 to 2024 are read: export it anew"
        )
    page = root.find("Page")
    if page is None:
        raise DatasetError(f"{where}: has no Page; export it anew")
    author = root.find(".//MetadataItem[@type='author']")
    return Page(
        picture=page.get("imageFilename", ""),
        size=_size(page, where),
        writer=None if author is None else author.get("value"),
        regions=[_region(element, where) for element in page.iter(_TAGS[kind])],
    )


def _size(page: Element, where: str) -> tuple[float, float]:
    try:
        width, height = (finite(page.get(side, "")) for side in ("imageWidth", "imageHeight"))
    except ValueError:
        width = height = 0.0
    if width <= 0 or height <= 0:
        raise DatasetError(f"{where}: the Page has no imageWidth and imageHeight in pixels; export it anew")
    return width, height


def _region(element: Element, where: str) -> Region:
    name = f"{element.tag} {element.get('id', 'without id')!r}"
    coords = element.find("Coords")
    points = "" if coords is None else coords.get("points", "")
    return Region(name, _text(element, f"{where}, {name}"), parse_outline(points, where=f"{where}, {name}"))


def _text(element: Element, where: str) -> str:
    texts = element.findall("TextEquiv")
    if not texts:
        return ""
    try:
        main = min(texts, key=lambda text: int(text.get("index", "0")))  # of equals the first
    except ValueError:
        raise DatasetError(f"{where}: a TextEquiv has an index that is no whole number; correct it") from None
    return main.findtext("Unicode", "")
