"""Tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from handfed.shared import tasks
from handfed.shared.errors import SettingError
from handfed.shared.tasks import KINDS, TASKS, Task


def test_there_is_a_task_of_every_kind() -> None:
    assert {task.kind for task in TASKS.values()} == set(KINDS)


def test_a_file_says_what_a_task_is(tmp_path: Path) -> None:
    file = tmp_path / "houses.toml"
    file.write_text('summary = "House numbers"\nkind = "words"\nalphabet = "digits"\nrecogniser = "tcn"\nheight = 24\n')
    assert tasks.find(str(file)) == Task("House numbers", "words", "digits", "tcn", 24)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('kind = "words"', "needs a summary"),
        ('summary = "x"\nalfabet = "digits"', "did you mean alphabet"),
        ('summary = "x"\nkind = "pages"', "one of characters, words, lines"),
        ('summary = "x"\nkind = "words"\nheight = 32', "cnn reads single characters, and the task is of words"),
        ('summary = "x"\nrecogniser = "tcn"', "tcn reads words and lines"),
        ('summary = "x"\nkind = "words"\nrecogniser = "tcn"\nheight = 30', "multiple of 8"),
        ('summary = "x"\nheight = 32', "28 pixels high"),
        ('summary = "x"\nheight = "32"', "height is int, not str"),
        ("summary = ", "houses.toml"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "houses.toml"
    file.write_text(content)
    with pytest.raises(SettingError, match=message):
        tasks.find(str(file))


def test_an_unknown_task_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SettingError, match="did you mean digits"):
        tasks.find("digit")
    with pytest.raises(SettingError, match="cannot be read"):
        tasks.find("nowhere.toml")
