"""The code on each page of a form: what stands in which box, and who writes.

A page says all that is needed to label it, so that no list of printed forms has to be kept anywhere, and a form may be
printed on one machine and read on another. It is one long number in a QR code (ISO/IEC 18004, numeric mode), which
tells nothing to a telephone that is held over it:

    bytes   1         version, 1
            1         16 x kind + paper (`handfed.clients.device.forms.layout`)
            8         the sheet's own number; pages of one writer share it
            2, 2      which page of how many, from 1, big-endian
            n         DEFLATE (RFC 1951) of UTF-8: the writer's name, empty where nobody is named; then a line for each
                      count: the count and the labels that stand that often on the page, parted by tabs
            8         BLAKE2b of all bytes before

    number  the bytes as one big-endian integer, in decimal digits

The labels of the page, sorted by code points and repeated, are L; boxes are in reading order. Box `k` shows
`L[order[k]]`, where `order` sorts 0, 1, 2... by the BLAKE2b of the sheet's number, the page and the position (4 bytes).
So the places look random, cost no room in the code, and never change with a library.

A code is right in every bit or refused: QR codes correct errors, and the checksum finds what that gets wrong.
"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from handfed.clients.device.forms.layout import KINDS, PAPERS, Kind, Paper, boxes
from handfed.shared.errors import ImageError, SettingError

VERSION: Final = 1
MOST_BYTES: Final = 330  # 69 modules a side at level M: 0.43 mm each
MOST_PAGES: Final = 2**16 - 1
_MOST_DIGITS: Final = 2_000
_HEAD: Final = struct.Struct(">BB8sHH")
_CHECK_BYTES: Final = 8
_MOST_TEXT: Final = 2**16  # bytes, inflated


@dataclass(frozen=True)
class Page:
    """A page of a form.

    Attributes:
        paper: What it is printed on.
        kind: What is copied.
        sheet: 8 bytes, the sheet's own number.
        number: Which page of the sheet it is, from 1.
        of: How many pages the sheet has.
        writer: Who is to write; empty where that is not said.
        labels: In sorted order, each as often as it stands on the page; in normalisation form C.
    """

    paper: Paper
    kind: Kind
    sheet: bytes
    number: int
    of: int
    writer: str = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """What the page is called where it is printed and in messages; it says nothing about the writer."""
        return f"{self.sheet.hex()[:6].upper()}-{self.number}"

    def prompts(self) -> list[str]:
        """What stands above each box, in reading order; there may be more boxes than that."""
        order = sorted(range(len(self.labels)), key=self._rank)
        return [self.labels[position] for position in order]

    def identity(self, box: int) -> bytes:
        """What a box is known by wherever its page is photographed: the same for every picture of it."""
        return b"%s %d %d" % (self.sheet, self.number, box)

    def _rank(self, position: int) -> bytes:
        where = self.sheet + struct.pack(">HI", self.number, position)
        return hashlib.blake2b(where, digest_size=16).digest()


def encode(page: Page) -> str:
    """The digits of a page's code.

    Raises:
        SettingError: A label or the writer's name has a control character.
    """
    head = _HEAD.pack(VERSION, 16 * page.kind.number + page.paper.number, page.sheet, page.number, page.of)
    content = head + _deflated(_text_of(page))
    return str(int.from_bytes(content + _check(content)))


def code_bytes(page: Page) -> int:
    """How many bytes a page's code has; a page has at most `MOST_BYTES`."""
    return (int(encode(page)).bit_length() + 7) // 8


def decode(digits: str) -> Page:
    """The page that a code stands for.

    Args:
        digits: What was read, which may be anything.

    Raises:
        ImageError: It is no page's code, is damaged, or a newer Handfed printed it.
    """
    content = _checked(digits)
    version, kinds, sheet, number, of = _HEAD.unpack(content[: _HEAD.size])
    if version != VERSION:
        raise ImageError(f"a newer Handfed printed the form (version {version}); update Handfed on this device")
    try:
        kind = next(each for each in KINDS.values() if each.number == kinds // 16)
        paper = next(each for each in PAPERS.values() if each.number == kinds % 16)
        writer, labels = _parsed(_inflated(content[_HEAD.size :]))
    except (StopIteration, zlib.error, ValueError):  # the checksum is right, so somebody else made it
        raise ImageError("the code on the page is of no form that Handfed prints") from None
    if not 0 < len(labels) <= len(boxes(paper, kind)):
        raise ImageError("the code on the page is of no form that Handfed prints")
    return Page(paper, kind, sheet, number, of, writer, labels)


def _text_of(page: Page) -> str:
    texts = (page.writer, *page.labels)
    if any(
        unicodedata.category(each).startswith("C") and each not in "\u200c\u200d" for text in texts for each in text
    ):
        raise SettingError("a name or a label has a character that cannot be printed; take it out")
    by_count: dict[int, list[str]] = {}
    for label, count in sorted(Counter(page.labels).items()):
        by_count.setdefault(count, []).append(label)
    lines = ("\t".join((str(count), *labels)) for count, labels in sorted(by_count.items()))
    return "\n".join((page.writer, *lines))


def _parsed(text: str) -> tuple[str, tuple[str, ...]]:
    writer, *lines = text.split("\n")
    labels: list[str] = []
    for line in lines:
        count, *those = line.split("\t")
        if len(labels) + int(count) * len(those) > _MOST_TEXT:
            raise ValueError(count)
        labels.extend(label for label in those for _ in range(int(count)))
    return writer, tuple(sorted(labels))


def _checked(digits: str) -> bytes:
    """The bytes of a code without its checksum, which is right.

    Raises:
        ImageError: It is not.
    """
    foreign = "the code on the page is none of a form that Handfed prints, or was misread; photograph the page again"
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise ImageError(foreign)
    number = int(digits)
    whole = number.to_bytes((number.bit_length() + 7) // 8)
    content, check = whole[:-_CHECK_BYTES], whole[-_CHECK_BYTES:]
    if len(content) < _HEAD.size or check != _check(content):
        raise ImageError(foreign)
    return content


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK_BYTES).digest()


def _deflated(text: str) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return packer.compress(text.encode()) + packer.flush()


def _inflated(packed: bytes) -> str:
    text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _MOST_TEXT)
    return text.decode()
