"""What is asked of a picture and what is answered, whoever asks: a person, another program, a scanner's folder.

Rules:
1. A picture that cannot be read is an answer too: it ends the reading of no other.
2. Pictures of characters are read in batches, and each gives bit by bit what it gives alone.
3. Answers have one form in JSON: `{"text", "confidence", "alternatives": [{"text", "probability"}]}`, with `"confirm"`
   where the device picked the reading at random and asks for confirmation, or of a page
   `{"text", "boxes": [{"box", "text", "confidence", "alternatives"}]}`, where a box is [left, top, right, bottom].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handfed.clients.edge.pictures import read_picture
from handfed.clients.edge.recogniser import ALTERNATIVES, Reading, Recogniser
from handfed.shared.errors import ImageError, SettingError
from handfed.shared.images import normalise

if TYPE_CHECKING:
    from handfed.clients.device.store.picks import Picks
    from handfed.clients.edge.detection import BoxReading, PageReading


@dataclass(frozen=True)
class Question:
    """What is asked of a picture.

    Attributes:
        alternatives: How many other readings to name, at most.
        boxes: Whether all characters of the picture are to be found, and each is to be read.
        picks: Which readings are picked for confirmation; None for none. Of pages, none is.
    """

    alternatives: int = ALTERNATIVES
    boxes: bool = False
    picks: Picks | None = None

    def check(self, recogniser: Recogniser) -> None:
        """Refuses what a recogniser cannot answer.

        Raises:
            SettingError: It finds no characters, since it reads words or lines.
        """
        if self.boxes and recogniser.task.of_texts:
            raise SettingError(f"boxes are of characters, and the release reads {recogniser.task.kind}; leave them out")


def answer(recogniser: Recogniser, picture: NDArray[np.uint8], question: Question) -> Reading | PageReading:
    """Reads one picture.

    Args:
        recogniser: One that `question` was checked with.
        picture: uint8 (height, width), grey, dark on light or light on dark.
        question: What is asked of it.

    Raises:
        ImageError: The picture is of another form, or holds no ink where ink is needed.
    """
    if not question.boxes:
        image = recogniser.normalised(picture)
        reading = recogniser.read_normalised(image, alternatives=question.alternatives)
        return _picked(reading, recogniser, image, question)
    from handfed.clients.edge.detection import read_page

    return read_page(recogniser, picture, alternatives=question.alternatives)


def answer_files(
    recogniser: Recogniser, images: Sequence[Path], question: Question
) -> list[Reading | PageReading | ImageError]:
    """Reads picture files, in their order; errors name the file.

    Args:
        recogniser: One that `question` was checked with.
        images: The files. All that they hold of characters is in memory at once, 784 bytes each.
        question: What is asked of each.
    """
    if question.boxes or recogniser.task.of_texts:
        return [_answer_file(recogniser, image, question) for image in images]
    prepared = [_prepared(image) for image in images]
    pictures = [each for each in prepared if not isinstance(each, ImageError)]
    if not pictures:
        return [each for each in prepared if isinstance(each, ImageError)]
    found = recogniser.read_each(np.stack(pictures), alternatives=question.alternatives)
    readings = (_picked(each, recogniser, image, question) for each, image in zip(found, pictures, strict=True))
    return [each if isinstance(each, ImageError) else next(readings) for each in prepared]


def _answer_file(recogniser: Recogniser, image: Path, question: Question) -> Reading | PageReading | ImageError:
    try:
        picture = read_picture(image, where=str(image))
    except ImageError as error:
        return error
    try:
        return answer(recogniser, picture, question)
    except ImageError as error:
        return ImageError(f"{image}: {error}")


def _picked(reading: Reading, recogniser: Recogniser, image: NDArray[np.uint8], question: Question) -> Reading:
    """The reading, marked where it is picked for confirmation."""
    pick = None if question.picks is None else question.picks.pick(recogniser.task.kind, image)
    return reading if pick is None else replace(reading, pick=pick)


def _prepared(image: Path) -> NDArray[np.uint8] | ImageError:
    """A file's character, uint8 (28, 28)."""
    try:
        picture = read_picture(image, where=str(image))
    except ImageError as error:
        return error
    try:
        return normalise(picture)
    except ImageError as error:
        return ImageError(f"{image}: {error}")


def as_json(answered: Reading | PageReading) -> dict[str, Any]:
    """An answer as rule 3 has it."""
    if isinstance(answered, Reading):
        return _reading_as_json(answered) | ({} if answered.pick is None else {"confirm": answered.pick})
    boxes = [{"box": list(each.box), **_reading_as_json(each)} for each in answered.boxes]
    return {"text": answered.text, "boxes": boxes}


def _reading_as_json(reading: Reading | BoxReading) -> dict[str, Any]:
    return {
        "text": reading.text,
        "confidence": round(reading.confidence, 6),
        "alternatives": [
            {"text": text, "probability": round(probability, 6)} for text, probability in reading.alternatives
        ],
    }
