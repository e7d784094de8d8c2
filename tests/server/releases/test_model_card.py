"""The model card names the classes that are read worst, where devices told of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from handfed.server.releases.model_card import model_card
from handfed.shared.manifest import Manifest, read_manifest

RELEASE = Path(__file__).parents[2] / "compat" / "manifest-2"


def told(**metrics: list[list[int]]) -> Manifest:
    manifest = read_manifest(RELEASE)
    return replace(manifest, metrics={**manifest.metrics, **metrics})


def test_the_worst_classes_and_the_most_frequent_confusions_are_named() -> None:
    names = read_manifest(RELEASE).alphabet.names
    classes = [[0, 100, 99], [1, 100, 80], [2, 50, 45], [3, 100, 98]]
    card = model_card(told(classes=classes, confusions=[[1, 2, 15], [1, 3, 5], [2, 1, 5]]))
    assert f"| Read worst | `{names[1]}` 80.0% of 100, `{names[2]}` 90.0% of 50, `{names[3]}` 98.0% of 100 |\n" in card
    assert f"| Most often confused | `{names[1]}` as `{names[2]}` 15, `{names[1]}` as `{names[3]}` 5" in card


def test_where_nothing_is_told_of_classes_the_card_says_nothing_of_them() -> None:
    card = model_card(told())
    assert "Read worst" not in card
    assert "confused" not in model_card(told(classes=[[0, 100, 100]]))
