"""Where everything is on a form, in millimetres from the upper left corner of the paper.

The four corner marks are ArUco markers (Garrido-Jurado et al. 2014, "Automatic generation and detection of highly
reliable fiducial markers under occlusion", Pattern Recognition 47; dictionary 5x5_50). Their numbers say which corner
each is and which paper it is printed on, so the page is rectified before its code is read.

This is layout 1. Paper keeps: a layout that was printed is never changed, and another one takes other numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from handfed.shared.errors import SettingError

MARGIN_MM: Final = 8.0  # of the corner marks; printers leave up to 6.4 mm blank
MARK_MM: Final = 10.0
CODE_MM: Final = 30.0
FRAME_MM: Final = 0.25  # how thick the frame of a box is
PROMPT_MM: Final = 4.6  # above each box
CORNERS: Final = ("upper left", "upper right", "lower right", "lower left")

_TOP_MM: Final = 44.0  # of the first prompt
_BOTTOM_MM: Final = 21.0  # below the last box
_SIDES_MM: Final = 10.0
_CODE_GAP_MM: Final = 4.5  # of white between code and mark
_ROW_GAP_MM: Final = 1.4


class Area(NamedTuple):
    """An upright rectangle, in mm."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Paper:
    """A size of paper, in mm; `number` stands for it on the form."""

    name: str
    number: int
    width: float
    height: float


@dataclass(frozen=True)
class Kind:
    """What is copied, in boxes of which size in mm; `number` stands for it on the form."""

    name: str
    number: int
    width: float
    height: float
    gap: float  # least, between two boxes of a row


PAPERS: Final = {paper.name: paper for paper in (Paper("a4", 0, 210.0, 297.0), Paper("letter", 1, 215.9, 279.4))}
KINDS: Final = {kind.name: kind for kind in (Kind("characters", 0, 13.0, 13.0, 2.5), Kind("words", 1, 60.0, 13.0, 4.0))}


def paper_called(name: str) -> Paper:
    """The paper of that name.

    Raises:
        SettingError: There is none.
    """
    if name.lower() not in PAPERS:
        raise SettingError(f"there is no paper {name!r} for forms; choose of {', '.join(PAPERS)}")
    return PAPERS[name.lower()]


def mark_number(paper: Paper, corner: int) -> int:
    """The number of the mark in a corner, which counts clockwise from the upper left."""
    return paper.number * len(CORNERS) + corner


def place_of_mark(number: int) -> tuple[Paper, int] | None:
    """The paper and the corner that a mark's number stands for; None for a mark of something else."""
    papers = {paper.number: paper for paper in PAPERS.values()}
    paper, corner = divmod(number, len(CORNERS))
    return (papers[paper], corner) if paper in papers else None


def mark_area(paper: Paper, corner: int) -> Area:
    """Where the mark of a corner is."""
    right, bottom = paper.width - MARGIN_MM - MARK_MM, paper.height - MARGIN_MM - MARK_MM
    left, top = ((MARGIN_MM, MARGIN_MM), (right, MARGIN_MM), (right, bottom), (MARGIN_MM, bottom))[corner]
    return Area(left, top, MARK_MM, MARK_MM)


def code_area(paper: Paper) -> Area:
    """Where the page's code is, without the white around it."""
    left = paper.width - MARGIN_MM - MARK_MM - _CODE_GAP_MM - CODE_MM
    return Area(left, MARGIN_MM + 1, CODE_MM, CODE_MM)


def header_area(paper: Paper) -> Area:
    """Where the writer's name and what to do stand."""
    left = MARGIN_MM + MARK_MM + 4
    return Area(left, MARGIN_MM, code_area(paper).left - _CODE_GAP_MM - left, _TOP_MM - MARGIN_MM - 2)


def boxes(paper: Paper, kind: Kind) -> list[Area]:
    """The boxes in reading order: the middle of their frames."""
    across, between = _columns(paper, kind)
    down = PROMPT_MM + kind.height + _ROW_GAP_MM
    rows = int((paper.height - _TOP_MM - _BOTTOM_MM + _ROW_GAP_MM) // down)
    return [
        Area(_SIDES_MM + column * (kind.width + between), _TOP_MM + PROMPT_MM + row * down, kind.width, kind.height)
        for row in range(rows)
        for column in range(across)
    ]


def _columns(paper: Paper, kind: Kind) -> tuple[int, float]:
    """How many boxes a row has, and how far they are apart."""
    room = paper.width - 2 * _SIDES_MM
    across = int((room + kind.gap) // (kind.width + kind.gap))
    return across, (room - across * kind.width) / (across - 1)
