"""What promotion is measured by lies in its ranges."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from handfed.shared.errors import SettingError
from handfed.shared.promotion.settings import PromotionSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"margin": 0.0},
        {"margin": 0.21},
        {"margin": float("nan")},
        {"error_rate": 0.0},
        {"error_rate": 0.2},
        {"most_pairs": 0},
        {"distrusted_devices": -1},
        {"least_coverage": 1.1},
        {"stage_s": -1.0},
        {"stage_s": float("inf")},
        {"least_healthy": -1},
        {"least_healthy_share": 1.5},
        {"most_unhealthy_share": -0.1},
        {"percents": ()},
        {"percents": (5, 25)},
        {"percents": (0, 100)},
        {"percents": (25, 5, 100)},
        {"percents": (5, 5, 100)},
    ],
)
def test_what_is_out_of_its_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(SettingError, match=name):
        PromotionSettings(**wrong)


def test_every_setting_has_a_range() -> None:
    for field in fields(PromotionSettings):
        beyond = (-5, 100) if field.name == "percents" else -5
        with pytest.raises(SettingError, match=field.name):
            PromotionSettings(**{field.name: beyond})  # type: ignore[arg-type] # by name


def test_the_page_names_every_setting_with_its_default() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "promotion.md").read_text(encoding="utf-8")
    for field in fields(PromotionSettings):
        default = ", ".join(map(str, field.default)) if isinstance(field.default, tuple) else f"{field.default:g}"
        assert f"| `{field.name}` | {default} |" in page


def test_everybody_at_once_may_be_asked_for() -> None:
    assert PromotionSettings(percents=(100,)).percents == (100,)
