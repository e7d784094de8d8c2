"""Many pictures are answered as each alone, in batches and by several threads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handfed.clients.edge import Recogniser, read_picture
from handfed.clients.edge.answers import Question, answer, answer_files, as_json
from handfed.shared.errors import ImageError, SettingError
from handfed.shared.manifest import MODEL
from handfed.simulations.datasets.mnist5k import MNIST5K

RELEASE = Path(__file__).resolve().parents[2] / "compat" / "manifest-2"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Digits of several sizes, and among them files that cannot be read."""
    directory = tmp_path_factory.mktemp("pictures")
    digits = MNIST5K.load().images[::70]
    for row, digit in enumerate(digits):
        enlarged = np.kron(digit, np.ones((1 + row % 4, 1 + row % 4), np.uint8))
        Image.fromarray(255 - enlarged).save(directory / f"{row:03d}.png")
    Image.new("L", (30, 30), 255).save(directory / "010-blank.png")
    (directory / "020-note.png").write_text("no picture")
    return [*sorted(directory.iterdir()), directory / "missing.png"]


def test_a_batch_gives_bit_by_bit_what_each_gives_alone(images: list[Path]) -> None:
    recogniser, question = Recogniser.open(RELEASE), Question(9)
    together = answer_files(recogniser, images, question)
    assert len(together) == len(images)
    for image, found in zip(images, together, strict=True):
        if isinstance(found, ImageError):
            assert str(found).startswith(f"{image}: ")
            assert image.name in {"010-blank.png", "020-note.png", "missing.png"}
        else:
            assert found == answer(recogniser, read_picture(image, where=""), question)


def test_images_that_can_none_be_read_are_each_told_of(images: list[Path]) -> None:
    broken = [image for image in images if "-" in image.name or image.name == "missing.png"]
    found = answer_files(Recogniser.open(RELEASE), broken, Question())
    assert [type(each) for each in found] == [ImageError] * 3
    assert answer_files(Recogniser.open(RELEASE), [], Question()) == []


def test_a_reading_and_a_page_have_one_form_in_json(images: list[Path]) -> None:
    recogniser = Recogniser.open(RELEASE)
    reading, page = (answer_files(recogniser, images[:1], Question(1, boxes=boxes))[0] for boxes in (False, True))
    assert not isinstance(reading, ImageError)
    assert not isinstance(page, ImageError)
    single, whole = as_json(reading), as_json(page)
    assert set(single) == {"text", "confidence", "alternatives"}
    assert set(whole) == {"text", "boxes"}
    assert set(whole["boxes"][0]) == {"box", *single}


def test_boxes_are_refused_of_a_release_of_words() -> None:
    class OfWords(Recogniser):
        @property
        def task(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - of one test
            from handfed.shared.tasks import Task

            return Task("words", "words", recogniser="tcn", height=32)

    with pytest.raises(SettingError, match="reads words"):
        Question(boxes=True).check(OfWords.open(RELEASE / MODEL))


@pytest.mark.parametrize("options", [[], ["--boxes"]])
def test_threads_change_nothing_of_what_is_printed(images: list[Path], options: list[str]) -> None:
    chosen = [*images[::6], images[-1]] if options else images
    main = "from handfed.shared.cli import main; main()"
    command = [sys.executable, "-c", main, "recognise", "--release", RELEASE, "--json", *options, *chosen]
    alone, together = (
        subprocess.run([*map(str, command), "--threads", threads], capture_output=True, check=False)
        for threads in ("1", "3")
    )
    assert alone.returncode == together.returncode == 2
    assert len(alone.stdout) > 1000
    assert together.stdout == alone.stdout
    assert together.stderr == alone.stderr == b""
