from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.clients.device.forms import layout, sheets
from handfed.clients.device.forms.contact import contact_sheets
from handfed.clients.device.forms.cutting import Verdict
from handfed.clients.device.forms.samples import read_forms, taken
from handfed.shared.errors import DatasetError, ImageError, SettingError
from handfed.shared.tasks import TASKS, Task
from handfed.simulations.benchmarks.filled_forms import STYLES, Picture, printed

from .conftest import Form, MakeForm

CHARACTERS = TASKS["characters"]


def save(folder: Path, name: str, *pictures: Picture) -> Path:
    first, *rest = [Image.fromarray(picture) for picture in pictures]
    if rest:
        first.save(folder / name, save_all=True, append_images=rest)
    else:
        first.save(folder / name)
    return folder / name


def small(form: Form) -> Picture:
    """A scan of 150 dots an inch."""
    return np.asarray(Image.fromarray(form.filled.picture).reduce(2))


def test_a_photographed_form_becomes_samples_with_their_labels_and_writer(photographed: tuple[Form, Path]) -> None:
    form, file = photographed
    forms = read_forms([file])
    (page,) = forms.pages
    assert page.page == form.page
    kept = {each.box: each.label for each in page.cuts if each.verdict == Verdict.KEPT}
    assert kept.items() <= form.written().items()
    assert len(kept) >= 0.97 * len(form.written())
    got = taken(forms, CHARACTERS)
    assert got.dataset.writer_ids == ("Zoë Müller",)
    assert [got.dataset.alphabet.names[label] for label in got.dataset.labels] == list(kept.values())
    assert len(set(got.identities)) == len(got.dataset) == len(kept)
    assert got.dataset.images.shape[1:] == (28, 28)


def test_scans_of_several_pages_are_read_and_blank_backs_passed_over(form: MakeForm, tmp_path: Path) -> None:
    one, two = form(seed=1), form(writer="Bob", paper="letter", seed=2, hand=1)
    scans = [small(one), np.full_like(small(one), 250), np.ascontiguousarray(np.rot90(small(two), 2))]
    for name in ("scan.tiff", "scan.pdf"):
        forms = read_forms([save(tmp_path, name, *scans)])
        assert [page.page.writer for page in forms.pages] == ["Zoë Müller", "Bob"]
        assert forms.blank == 1
        assert forms.pages[1].where == f"{tmp_path / name}, page 3"
        got = taken(forms, CHARACTERS).dataset
        assert got.writers is not None
        assert got.writer_ids == ("Bob", "Zoë Müller")
        assert np.bincount(got.writers).tolist() == [
            len([each for each in page.cuts if each.verdict == Verdict.KEPT]) for page in reversed(forms.pages)
        ]


def test_all_that_cannot_be_used_is_listed_and_nothing_is_taken(form: MakeForm, tmp_path: Path) -> None:
    good = save(tmp_path, "good.png", small(form()))
    blank = save(tmp_path, "blank.png", np.full((900, 700), 240, np.uint8))
    cut_off = tmp_path / "cut-off.png"
    cut_off.write_bytes(good.read_bytes()[:5000])
    locked = tmp_path / "broken.pdf"
    locked.write_bytes(b"%PDF-1.7 and nothing else")
    heic = tmp_path / "IMG_1.HEIC"
    heic.write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(ImageError) as refused:
        read_forms([good, blank, cut_off, locked, heic, tmp_path / "missing.jpg", tmp_path / "missing.pdf"])
    message = str(refused.value)
    assert message.startswith("nothing was imported")
    for expected in (
        "blank.png: is blank",
        "cut-off.png: is damaged",
        "broken.pdf: is no PDF",
        "IMG_1.HEIC: is not a picture in a format that is read",
        "missing.jpg: there is no such file",
        "missing.pdf: there is no such file",
    ):
        assert expected in message
    assert "good.png" not in message


def test_a_page_photographed_twice_counts_once(form: MakeForm, tmp_path: Path) -> None:
    made = form()
    files = [tmp_path / "1.jpg", tmp_path / "2.jpg"]
    for seed, file in enumerate(files):
        file.write_bytes(made.photograph(STYLES[4], seed=seed).file)
    forms = read_forms(files)
    assert forms.repeated() == [made.page.name]
    assert taken(forms, CHARACTERS).identities == taken(read_forms(files[:1]), CHARACTERS).identities


def test_copies_of_a_page_that_two_people_filled_in_are_refused(form: MakeForm, tmp_path: Path) -> None:
    files = [save(tmp_path, f"{hand}.png", small(form(hand=hand))) for hand in (1, 2)]
    with pytest.raises(DatasetError, match="copies of one page"):
        read_forms(files)


def test_forms_without_a_name_are_of_nobody_and_may_lie_among_others(form: MakeForm, tmp_path: Path) -> None:
    nameless = save(tmp_path, "nameless.png", small(form(writer="", seed=5)))
    named = save(tmp_path, "named.png", small(form(seed=6)))
    assert taken(read_forms([nameless]), CHARACTERS).dataset.writers is None
    assert taken(read_forms([nameless, named]), CHARACTERS).dataset.writer_ids == ("", "Zoë Müller")


def test_the_task_says_what_a_form_may_show(photographed: tuple[Form, Path]) -> None:
    forms = read_forms([photographed[1]])
    assert taken(forms, TASKS["digits"]).dataset.alphabet.names == tuple("0123456789")
    with pytest.raises(DatasetError, match="not in the alphabet"):
        taken(forms, Task("letters", alphabet="letters"))
    with pytest.raises(DatasetError, match="the forms show characters, and the task is of words"):
        taken(forms, TASKS["words"])


def test_boxes_are_left_out_by_their_numbers(photographed: tuple[Form, Path]) -> None:
    forms = read_forms([photographed[1], photographed[1]])
    count = len(forms.pages[0].cuts)
    left = forms.without({1, count + 2})
    assert [each.box for each in left.pages[0].cuts if each.verdict == Verdict.LEFT_OUT] == [0]
    assert [each.box for each in left.pages[1].cuts if each.verdict == Verdict.LEFT_OUT] == [1]
    for number in (0, 2 * count + 1):
        with pytest.raises(SettingError, match=f"no box {number}"):
            forms.without({number})


def test_words_are_read_as_strips(tmp_path: Path) -> None:
    words = ("apple", "pear tree")
    kind = layout.KINDS["words"]
    (page,) = sheets.deal(words, repeat=1, writer="Zoë", paper=layout.PAPERS["a4"], kind=kind, seed=1)
    (paper,) = printed([page])
    picture = np.asarray(Image.fromarray(paper).reduce(2)).copy()
    import cv2

    for box, word in zip(layout.boxes(page.paper, kind), page.prompts(), strict=False):
        place = (round((box.left + 4) * 150 / 25.4), round((box.top + 9.5) * 150 / 25.4))
        cv2.putText(picture, word, place, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.3, 40, 3, cv2.LINE_AA)
    got = taken(read_forms([save(tmp_path, "words.png", picture)]), TASKS["words"]).dataset
    assert [got.alphabet.text_of(text) for text in got.samples.written()] == page.prompts()
    assert got.samples.images.shape[1] == 32
    with pytest.raises(DatasetError, match="import them apart"):
        read_forms([tmp_path / "words.png", save(tmp_path, "digits.png", np.asarray(small_form()))])


def small_form() -> Picture:
    from .conftest import page_of

    return np.asarray(Image.fromarray(printed([page_of()])[0]).reduce(2))


def test_a_form_with_nothing_on_it_brings_nothing(tmp_path: Path) -> None:
    forms = read_forms([save(tmp_path, "empty.png", small_form())])
    assert {each.verdict for each in forms.pages[0].cuts} == {Verdict.EMPTY}
    with pytest.raises(DatasetError, match="no box has any handwriting"):
        taken(forms, CHARACTERS)


def test_a_contact_sheet_shows_every_box(photographed: tuple[Form, Path]) -> None:
    forms = read_forms([photographed[1]])
    (content,) = contact_sheets(forms)
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    orange = (sheet[..., 0] > 170) & (sheet[..., 2] < 40)
    out = sum(each.verdict != Verdict.KEPT for each in forms.pages[0].cuts)
    assert orange.any(axis=1).sum() > 80  # frames of what is left out
    assert orange.sum() > out * 4 * 80
    seven_pages = type(forms)([replace(forms.pages[0], cuts=forms.pages[0].cuts[:3]) for _ in range(7)], 0)
    assert len(list(contact_sheets(seven_pages))) == 2
    with pytest.raises(SettingError, match="cannot be used as a font"):
        list(contact_sheets(forms, photographed[1]))
