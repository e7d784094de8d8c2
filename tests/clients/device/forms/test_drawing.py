from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from handfed.clients.device.forms import drawing, layout, sheets
from handfed.clients.device.forms.code import Page
from handfed.clients.device.forms.rectifying import rectify
from handfed.shared.errors import MissingExtraError, SettingError
from handfed.simulations.benchmarks.filled_forms import DENSITY, printed

CHARACTERS, WORDS = layout.KINDS["characters"], layout.KINDS["words"]


def page(labels: str, *, writer: str = "Zoë", paper: str = "a4", kind: layout.Kind = CHARACTERS) -> Page:
    words = tuple(labels.split())
    return sheets.deal(words, repeat=1, writer=writer, paper=layout.PAPERS[paper], kind=kind, seed=1)[0]


@pytest.mark.parametrize("paper", layout.PAPERS)
def test_a_form_is_a_pdf_of_its_paper_and_the_same_for_the_same_pages(paper: str) -> None:
    pages = [page("a b c", paper=paper), page("d e f", paper=paper)]
    content = drawing.draw(pages)
    assert content == drawing.draw(pages)
    document = pypdfium2.PdfDocument(content)
    width, height = (side / 72 * 25.4 for side in document[0].get_size())
    assert (width, height) == pytest.approx((pages[0].paper.width, pages[0].paper.height), abs=0.1)
    assert len(document) == 2
    assert b"Zo" not in content  # but as drawn


@pytest.mark.parametrize("kind", [CHARACTERS, WORDS])
def test_boxes_are_drawn_where_the_layout_has_them_and_are_white_within(kind: layout.Kind) -> None:
    made = page("apple pear plum" if kind is WORDS else "a b c", kind=kind)
    (drawn,) = printed([made])
    for box in layout.boxes(made.paper, kind)[: len(made.labels)]:
        left, top, right, bottom = (
            round(DENSITY * each) for each in (box.left, box.top, box.left + box.width, box.top + box.height)
        )
        assert drawn[top + 4 : bottom - 3, left + 4 : right - 3].min() == 255
        for line in (drawn[top - 1 : top + 2, left:right], drawn[bottom - 1 : bottom + 2, left:right]):
            assert line.min(axis=0).max() < 160


def test_a_form_without_handwriting_reads_as_what_was_printed() -> None:
    for made in (page("a b c"), page("apple pear", kind=WORDS, writer=""), page("щ Ω é")):
        rectified = rectify(printed([made])[0])
        assert rectified.page == made
        assert np.abs(rectified.shifts).max() < 0.05


def test_characters_that_a_font_lacks_are_named() -> None:
    with pytest.raises(SettingError, match=re.escape("lacks 漢 (U+6F22); name one that has them with --font")):
        drawing.draw([page("a 漢")])
    with pytest.raises(SettingError, match=re.escape("U+6F22")):
        drawing.draw([page("a b", writer="漢")])


def test_a_font_of_one_s_own_draws_the_prompts(tmp_path: Path) -> None:
    serif = drawing.text_font().with_name("DejaVuSerif.ttf")
    assert drawing.draw([page("a b")], serif) != drawing.draw([page("a b")])
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    for file in (broken, tmp_path / "missing.ttf"):
        with pytest.raises(SettingError, match="cannot be used as a font"):
            drawing.draw([page("a b")], file)


def test_marks_are_put_together_with_what_they_belong_to() -> None:
    assert rectify(printed([page("é ñ")])[0]).page.labels == ("é", "ñ")


def test_characters_that_look_alike_are_told_apart_in_words() -> None:
    assert drawing.hints_of(set("0oO")) == {"0": "digit", "o": "small", "O": "capital"}
    assert drawing.hints_of(set("0123")) == {}
    assert drawing.hints_of(set("abcß")) == {}


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("fpdf", "cv2", "zxingcpp"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, library, None)
            with pytest.raises(MissingExtraError, match=rf"{library} is not installed .*handfed-clients\[forms\]"):
                drawing.draw([page("a b")])
