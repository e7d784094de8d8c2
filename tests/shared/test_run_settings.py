"""Settings of a run: bounds, names, and that every one is documented."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from handfed.shared.errors import SettingError
from handfed.shared.run_settings import RunSettings, option

ROOT = Path(__file__).resolve().parents[2]


def test_every_default_is_within_its_bounds() -> None:
    assert RunSettings().rounds > RunSettings().qat_rounds > 0


def test_settings_survive_a_mapping() -> None:
    settings = RunSettings(rounds=7, qat_rounds=2, strategy="fedavg")
    assert RunSettings.from_mapping(settings.to_mapping()) == settings


def test_names_may_be_written_with_dashes() -> None:
    assert RunSettings.from_mapping({"local-epochs": 3}).local_epochs == 3


def test_a_whole_number_serves_where_a_fraction_may_stand() -> None:
    assert RunSettings.from_mapping({"participation": 1}).participation == 1.0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rounds": 0}, "rounds 0 is out of bounds: from 1"),
        ({"rounds": "7"}, "rounds must be int"),
        ({"rounds": True}, "rounds must be int"),
        ({"learning_rate": float("nan")}, "out of bounds"),
        ({"strategy": "fedsgd"}, "choose one of: fedavg"),
        ({"local_epoch": 1}, "did you mean local-epochs?"),
        ({"colour": 1}, "there is no setting 'colour'"),
        ({"recogniser": "tcn", "class_weights": "balanced"}, "weighs single characters, and recogniser tcn reads"),
        ({"inputs": "colour"}, "there is no 'colour'; choose of topology, size, pen"),
        ({"inputs": "pen,pen"}, "names a kind twice"),
        ({"recogniser": "tcn", "inputs": "topology"}, "recogniser tcn sees the ink of texts alone; leave inputs out"),
        ({"rounds": 3, "qat_rounds": 4}, "qat-rounds 4 exceeds rounds 3"),
    ],
)
def test_a_wrong_setting_says_what_is_wrong(values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said.replace("?", r"\?")):
        RunSettings.from_mapping(values)


def test_class_weights_are_read_in_the_order_of_the_alphabet() -> None:
    assert RunSettings(class_alpha="9=2,4=1.5").alpha(("4", "9", "=")) == [1.5, 2.0, 1.0]
    assert RunSettings(class_alpha="==3").alpha(("a", "=")) == [1.0, 3.0]
    assert RunSettings().alpha(("4", "9")) is None


@pytest.mark.parametrize("text", ["x=2", "9", "9=", "9=two", "9=0", "9=-1", "9=nan", "9=1e9"])
def test_a_wrong_class_weight_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="class-alpha"):
        RunSettings(class_alpha=text).alpha(("4", "9"))


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
    missing = [field.name for field in dataclasses.fields(RunSettings) if f"`--{option(field.name)}`" not in page]
    assert not missing
