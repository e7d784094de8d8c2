"""What is to be copied, dealt out over boxes and pages.

Rules:
1. Every repetition of all labels is shuffled by itself, and they follow one another: who stops after a page has written
   each label about equally often.
2. A page has as many boxes as the paper has room for, and no more labels than its code has.
3. The same seed, writer, labels, repetitions and paper give the same sheet, with the same number: it is the same form,
   printed again. Without a seed each sheet is one of its own.
"""

from __future__ import annotations

import hashlib
import random
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from handfed.clients.device.forms.code import MOST_BYTES, MOST_PAGES, Page, code_bytes
from handfed.clients.device.forms.layout import Kind, Paper, boxes
from handfed.shared import alphabets, tasks
from handfed.shared.alphabet import SPACE
from handfed.shared.errors import DatasetError, SettingError

LONGEST_WORD: Final = 24  # characters; more do not fit into a box by hand
LONGEST_LABEL: Final = 8
LONGEST_WRITER: Final = 60
MOST_SHEETS: Final = 1_000


def characters_of(alphabet: str, task: str) -> tuple[str, ...]:
    """The characters that a form of an alphabet asks for.

    Args:
        alphabet: A name or file of `handfed.shared.alphabets`; empty for that of the task.
        task: A name or file of `handfed.shared.tasks`.

    Raises:
        SettingError: The task has no alphabet of its own, or a class whose name is too long for a box.
        DatasetError: There is no such alphabet.
    """
    reference = alphabet or tasks.find(task).alphabet
    found = alphabets.find(reference)
    if found is None:
        named = ", ".join(alphabets.NAMED)
        raise SettingError(
            f"say with --alphabet what is to be copied: {named}, or a file with a character on each line"
        )
    labels = tuple(name for name in found.names if name != SPACE)  # nothing to copy
    long = [label for label in labels if len(label) > LONGEST_LABEL]
    if long:
        raise SettingError(f"class {long[0]!r} has a name of more than {LONGEST_LABEL} characters, too long for a box")
    return labels


def words_in(file: Path) -> tuple[str, ...]:
    """The words of a text file, one on each line, each once.

    Raises:
        DatasetError: It cannot be read, is empty, or has a line that does not fit into a box.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DatasetError(f"{file}: is not UTF-8; save the words as UTF-8") from None
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})") from error
    words: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        word = " ".join(unicodedata.normalize("NFC", line).split())
        if len(word) > LONGEST_WORD:
            raise DatasetError(f"{file}, line {number}: has more than {LONGEST_WORD} characters; a line holds one word")
        if word:
            words[word] = None
    if not words:
        raise DatasetError(f"{file}: holds no words; write one on each line")
    return tuple(words)


def writers_in(file: Path) -> tuple[str, ...]:
    """The names of a class list, a text file with one on each line.

    Raises:
        DatasetError: It cannot be read, or is empty.
    """
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise DatasetError(f"{file}: is not UTF-8; save the names as UTF-8") from None
    except OSError as error:
        raise DatasetError(f"{file}: cannot be read ({error.strerror})") from error
    if not any(names):
        raise DatasetError(f"{file}: names nobody; write a name on each line")
    return tuple(dict.fromkeys(name for name in names if name))


def deal(
    labels: Sequence[str], *, repeat: int, writer: str, paper: Paper, kind: Kind, seed: int | None = None
) -> list[Page]:
    """The pages of one writer's sheet.

    Args:
        labels: What to copy, each once.
        repeat: How often each is copied, at least once.
        writer: Who is to write; empty where that is not said.
        paper: What it is printed on.
        kind: What is copied.
        seed: Of the order and of the sheet's number; None for chance.

    Raises:
        SettingError: It would be too many pages, or the writer's name is too long.
    """
    writer = unicodedata.normalize("NFC", writer).strip()
    if len(writer) > LONGEST_WRITER:
        raise SettingError(f"a writer's name has at most {LONGEST_WRITER} characters on a form; shorten it")
    sheet = _number(seed, (writer, str(repeat), paper.name, kind.name, *labels))
    left = _shuffled(labels, repeat, sheet)
    pages: list[Page] = []
    while left:
        page = _fullest(Page(paper, kind, sheet, len(pages) + 1, MOST_PAGES, writer, tuple(left)))
        left = left[len(page.labels) :]
        pages.append(page)
        if len(pages) > MOST_PAGES:
            raise SettingError(f"that makes more than {MOST_PAGES:,} pages; repeat it less often")
    return [replace(page, of=len(pages)) for page in pages]


def _fullest(page: Page) -> Page:
    """The page with as many of its labels, the first of them, as boxes and code have room for."""
    for count in range(min(len(boxes(page.paper, page.kind)), len(page.labels)), 0, -1):
        fitting = replace(page, labels=tuple(sorted(page.labels[:count])))
        if code_bytes(fitting) <= MOST_BYTES:
            return fitting
    raise SettingError("a label is too long for the code of a page; shorten it")


def _number(seed: int | None, contents: Sequence[str]) -> bytes:
    """8 bytes: a sheet's own number."""
    if seed is None:
        return secrets.token_bytes(8)
    return hashlib.blake2b("\0".join((str(seed), *contents)).encode(), digest_size=8).digest()


def _shuffled(labels: Sequence[str], repeat: int, sheet: bytes) -> list[str]:
    chance = random.Random(sheet)  # noqa: S311 - an order on paper, no secret
    return [label for _ in range(repeat) for label in chance.sample(labels, len(labels))]
