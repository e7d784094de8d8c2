"""The scenarios that have a name, and which one is meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handfed.shared.errors import SettingError
from handfed.simulations import scenarios
from handfed.simulations.partition import parse_scheme
from handfed.simulations.scenario import Scenario


@pytest.mark.parametrize("name", scenarios.names())
def test_every_built_in_can_be_run_once_its_data_is_known(name: str) -> None:
    found = scenarios.find(name)
    scenario = Scenario.from_mapping({"data": "mnist5k", **found.values})
    assert found.name == name
    assert found.summary
    parse_scheme(scenario.partition)
    assert 0 < scenario.held_out <= 0.9
    assert scenario.devices >= 1


def test_the_plain_scenario_is_what_the_help_shows_as_defaults() -> None:
    assert Scenario.from_mapping(scenarios.find(scenarios.PLAIN).values) == Scenario()


def test_no_two_scenarios_are_the_default_for_one_partition() -> None:
    taken = [each for found in scenarios.built_in() for each in found.default_for]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ((), "digits"),
        (("iid",), "digits"),
        (("dirichlet:0.3",), "digits"),
        (("writer",), "writers"),
        (("shards:1",), "one-class"),
        (("shards:2",), "two-classes"),
        (("shards:3",), "digits"),
        (("magic",), "digits"),  # whether there is such a scheme is said later
        (("characters", "writer"), "writers"),
    ],
)
def test_a_partition_has_its_scenario(asked: tuple[str, ...], name: str) -> None:
    assert scenarios.taken_for(*asked).name == name


def test_writers_leave_the_data_to_the_command_line() -> None:
    assert "data" not in scenarios.find("writers").values


def test_a_wrong_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"'digit' is neither .* did you mean 'digits'.* --list"):
        scenarios.find("digit")
    with pytest.raises(SettingError, match="is neither"):
        scenarios.find("x" * 5000)


def test_a_file_is_read_from_its_path_and_called_by_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('devices = 3\ndata = "mnist5k"\n', encoding="utf-8")
    found = scenarios.find(str(file))
    assert found.name == str(file)
    assert found.values == {"devices": 3, "data": "mnist5k"}


def test_data_beside_a_file_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    for name in ("mine.npz", "mnist5k"):
        (tmp_path / "data" / name).touch()
        (tmp_path / "data" / f"{name}.toml").write_text(f'data = "{name}"\n')
    monkeypatch.chdir(tmp_path)
    assert scenarios.find("data/mine.npz.toml").values["data"] == str(tmp_path / "data" / "mine.npz")
    assert scenarios.find("data/mnist5k.toml").values["data"] == "mnist5k"  # a name comes first, as everywhere
    (tmp_path / "data" / "mine.npz").unlink()
    assert scenarios.find("data/mine.npz.toml").values["data"] == "mine.npz"


def test_a_name_comes_before_a_file_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "digits").write_text("devices = 3\n")
    monkeypatch.chdir(tmp_path)
    assert scenarios.find("digits").values["devices"] == 20
    assert scenarios.find("./digits").values["devices"] == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"devices = \xff", "is not UTF-8 at byte 10"), (b"devices = ", "is not TOML"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_used_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingError, match=said) as caught:
        scenarios.find(os.fspath(file))
    assert str(file) in str(caught.value)
