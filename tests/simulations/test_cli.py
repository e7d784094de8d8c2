"""`handfed simulate`, as a user types it: real processes, exit statuses, and what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handfed.shared.datasets import Dataset
from handfed.shared.run_settings import RunSettings
from handfed.simulations.options import with_run_settings

HANDFED = Path(sys.executable).parent / "handfed"
SHORT = ["--rounds", "2", "--qat-rounds", "1", "--local-epochs", "1", "--float-margin", "1"]
FIELDS = {
    "run",
    "release",
    "model_path",
    "samples",
    "accuracy_float",
    "accuracy_int8",
    "rounds",
    "wall_s",
    "peak_memory_bytes",
    "weights_sha256",
}


def handfed(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(HANDFED), *arguments, "--data-dir", str(data_dir)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def my_digits(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real digits as a user's own file, with three invented writers."""
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    part = digits.take(np.arange(240))
    np.savez(path, x=255 - part.images, y=part.labels, writer=np.arange(240) % 4)
    return path


@pytest.fixture(scope="module")
def simulated(my_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    data_dir = tmp_path_factory.mktemp("simulated")
    done = handfed("simulate", "--data", str(my_digits), "--partition", "writer", *SHORT, "--json", data_dir=data_dir)
    assert done.returncode == 0, done.stderr
    return data_dir, json.loads(done.stdout)


def test_json_is_one_object_with_the_promised_fields(simulated: tuple[Path, dict[str, object]]) -> None:
    _, printed = simulated
    assert set(printed) >= FIELDS
    assert printed["samples"] == 60  # one of the four writers
    assert printed["rounds"] == 2


def test_the_release_the_record_and_the_report_are_there(simulated: tuple[Path, dict[str, object]]) -> None:
    data_dir, printed = simulated
    assert Path(str(printed["model_path"])).stat().st_size < 100_000
    page = Path(str(printed["report"])).read_text(encoding="utf-8")
    assert "mine.npz" in page  # the command is told, on the researcher's own page
    run = json.loads(handfed("runs", "show", str(printed["run"]), "--json", data_dir=data_dir).stdout)
    assert run["run"]["status"] == "done"
    assert len(run["rounds"]) == 2
    release = json.loads(handfed("releases", "show", str(printed["release"]), "--json", data_dir=data_dir).stdout)
    assert "model.tflite" in json.dumps(release)


def test_what_was_published_reads_the_same_file_again(
    simulated: tuple[Path, dict[str, object]], my_digits: Path
) -> None:
    data_dir, printed = simulated
    done = handfed("evaluate", str(printed["release"]), str(my_digits), "--json", data_dir=data_dir)
    found = json.loads(done.stdout)
    assert found["samples"] == 240
    assert found["writers"]["count"] == 4
    assert {"count", "p10", "median", "p90", "worst_decile"} <= set(found["writers"])
    assert found["latency_ms_median"] > 0
    assert found["size_bytes"] == Path(str(printed["model_path"])).stat().st_size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "mnist5"], "mnist5k"),
        (["--data", "/no/such/file.npz"], "/no/such/file.npz"),
        (["--partition", "dirichlet"], "dirichlet"),
        (["--partition", "writer"], "writer"),
        (["--devices", "0"], "devices"),
        (["--held-out", "1.5"], "held"),
        (["--rounds", "0"], "rounds 0 is out of bounds"),
        (["--strategy", "magic"], "choose one of: fedavg"),
        (["--recogniser", "magic"], "choose one of: cnn"),
        (["--engine", "magic"], "choose one of: in-process"),
        (["--class-alpha", "x=2"], "class-alpha"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_wrong_use_exits_with_2_says_what_to_do_and_leaves_nothing(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    done = handfed("simulate", *arguments, data_dir=tmp_path / "data")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_what_is_not_the_users_doing_exits_with_1(my_digits: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    arguments = ["--data", str(my_digits), *SHORT, "--database", f"sqlite:///{tmp_path}/file/handfed.db"]
    done = handfed("simulate", *arguments, data_dir=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr


def test_every_setting_is_an_option_with_its_default() -> None:
    @with_run_settings
    def command(mine: int = 1, **settings: object) -> None:
        """A command."""

    import inspect

    parameters = inspect.signature(command).parameters
    assert next(iter(parameters)) == "mine"
    assert {name: parameters[name].default for name in RunSettings().to_mapping()} == RunSettings().to_mapping()
