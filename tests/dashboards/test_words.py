"""Every word that people see is in the catalogues, in every language."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest

from handfed.dashboards.files import STATIC
from handfed.server.privacy.leaving import FIELDS, Form
from handfed.server.runs.schemas import Outcome, Status
from handfed.shared.promotion.rules import Action, Phase
from handfed.shared.release_reports import Condition
from handfed.shared.wire import Reason

WORDS = {path.stem: json.loads(path.read_text("utf-8")) for path in (STATIC / "catalogues").glob("*.json")}
SCRIPTS = {path: path.read_text("utf-8") for path in STATIC.rglob("*.js") if "vendor" not in path.parts}
# Words that are no language's: commands, file names and marks.
NO_LANGUAGE = {"handfed join", "handfed tokens add"}


def _families() -> set[str]:
    """What a key that is put together begins with."""
    return {found for text in SCRIPTS.values() for found in re.findall(r"(?:t|has)\(`([a-z.-]+)\.?\$\{", text)}


def test_there_are_four_languages() -> None:
    assert set(WORDS) == {"en", "de", "fr", "zh"}


@pytest.mark.parametrize("language", ["de", "fr", "zh"])
def test_all_languages_have_the_same_keys_and_values_in_them(language: str) -> None:
    assert set(WORDS[language]) == set(WORDS["en"])
    for key, text in WORDS["en"].items():
        assert set(re.findall(r"\{\w+\}", WORDS[language][key])) == set(re.findall(r"\{\w+\}", text)), key
        assert WORDS[language][key].strip(), key


def test_every_key_that_a_page_asks_for_is_there() -> None:
    for path, text in SCRIPTS.items():
        for key in re.findall(r"""\bt\("([^"]+)\"""", text):
            assert key in WORDS["en"], f"{path.name}: {key}"


def test_no_words_are_kept_that_no_page_shows() -> None:
    text = "\n".join(SCRIPTS.values())
    families = _families() | {"reason", "message", "field", "verb", "state", "condition", "cue"}
    unused = [
        key
        for key in WORDS["en"]
        if f'"{key}"' not in text and not any(key.startswith(f"{family}".rstrip(".") + ".") for family in families)
    ]
    assert not unused


@pytest.mark.parametrize(
    ("family", "codes"),
    [
        ("state", [*get_args(Status), *get_args(Outcome), *map(str, Phase), *map(str, Condition)]),
        ("reason", [str(reason) for reason in Reason if reason is not Reason.SILENT]),
        ("message", sorted({each.message for each in FIELDS})),
        ("field", sorted({each.field for each in FIELDS})),
        ("form", list(get_args(Form))),
        ("action", [str(action) for action in Action]),
    ],
)
def test_every_code_of_the_server_is_worded(family: str, codes: list[str]) -> None:
    assert not [code for code in codes if f"{family}.{code}" not in WORDS["en"]]


def test_no_visible_words_are_outside_the_catalogues() -> None:
    outside = []
    for path, text in SCRIPTS.items():
        for template in _templates(text):
            bare = re.sub(r"<[^>]*>", "\n", template)
            outside += [
                f"{path.name}: {line.strip()}"
                for line in bare.splitlines()
                if re.search(r"[^\W\d_]{2,}", line) and line.strip() not in NO_LANGUAGE
            ]
        for attribute in re.findall(r"""\s(?:aria-label|title|alt|placeholder)="([^"]+)\"""", text):
            if re.search(r"[^\W\d_]{2,}", attribute) and attribute not in {"hf_…", "device/7"}:
                outside.append(f"{path.name}: {attribute}")
    assert not outside


def _templates(text: str) -> list[str]:
    """The literal parts of `html` templates, without what is put into them."""
    found = []
    for match in re.finditer(r"html`", text):
        place, depth, literal = match.end(), 0, ""
        while place < len(text) and not (text[place] == "`" and depth == 0):
            if text.startswith("${", place):
                depth, place = depth + 1, place + 2
                continue
            if depth:
                if text[place] == "`":  # a template within: it is looked at by itself
                    place = _end_of(text, place + 1)
                depth += (text[place] == "{") - (text[place] == "}")
            else:
                literal += text[place]
            place += 1
        found.append(literal)
    return found


def _end_of(text: str, place: int) -> int:
    """Where a template ends that begins before `place`."""
    depth = 0
    while text[place] != "`" or depth:
        if text.startswith("${", place):
            depth, place = depth + 1, place + 2
            continue
        if depth and text[place] == "`":
            place = _end_of(text, place + 1)
        elif depth:
            depth += (text[place] == "{") - (text[place] == "}")
        place += 1
    return place
