"""`handfed recognisers`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from handfed.server.runs.recognisers import recognisers
from handfed.shared.recognisers import FAMILIES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "recognisers.md"


def listed(*arguments: str) -> str:
    app = Typer()
    app.command()(recognisers)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
    assert result.exit_code == 0
    return result.output


def test_every_family_is_listed_with_its_size() -> None:
    for name, family in FAMILIES.items():
        assert re.search(rf"{name}\b.*{family.parameters_for(10):,}", listed())
        assert re.search(rf"{name}\b.*{family.parameters_for(62):,}", listed("--classes", "62"))


def test_json_holds_what_the_table_shows_and_the_source() -> None:
    found = json.loads(listed("--json", "--classes", "62"))["recognisers"]
    assert [each["name"] for each in found] == list(FAMILIES)
    for each in found:
        family = FAMILIES[each["name"]]
        assert each["parameters"] == family.parameters_for(62)
        assert each["source"] == family.source


def test_the_page_about_recognisers_states_the_same_sizes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, family in FAMILIES.items():
        assert f"| `{name}` | {family.summary} |" in text
        assert f"| {family.parameters_for(10):,} | {family.parameters_a_class:,} |" in text
