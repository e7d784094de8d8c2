"""`handfed simulate`, as a user types it: real processes, exit statuses, and what is printed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import typer

from handfed.shared.datasets import Dataset
from handfed.shared.run_settings import RunSettings
from handfed.simulations import scenarios
from handfed.simulations.cli import simulate
from handfed.simulations.scenario import Scenario

HANDFED = Path(sys.executable).parent / "handfed"
TYPER_OWN = ("--help", "--install-completion", "--show-completion")
SHORT = ["--rounds", "2", "--qat-rounds", "1", "--local-epochs", "1", "--float-margin", "1", "--engine", "in-process"]
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


def test_training_in_one_place_takes_what_the_scenario_says_of_it(my_digits: Path, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text(
        f"data = '{my_digits}'\npartition = 'writer'\n"
        "[run]\nrounds = 4\nqat-rounds = 2\nparticipation = 0.5\nlocal-epochs = 1\nlearning-rate = 1\n"
        "[in-one-place]\nlearning-rate = 0.002\noptimiser = 'nadam'\n"
    )
    typed = ("--optimiser", "adam", "--float-margin", "1")
    done = handfed("train", str(scenario), *typed, "--json", data_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["rounds"] == 2  # as many passes as the federation
    ran = Scenario.from_toml((tmp_path / f"runs/{printed['run']:04}/scenario.toml").read_text())
    assert (ran.devices, ran.partition) == (1, "iid")
    assert (ran.run.learning_rate, ran.run.optimiser) == (0.002, "adam")  # the command line comes first


def test_training_in_one_place_that_was_stopped_goes_on_after_its_last_pass(my_digits: Path, tmp_path: Path) -> None:
    length = ["--rounds", "40", "--qat-rounds", "1", "--local-epochs", "1"]
    arguments = ["train", "--data", str(my_digits), *length, "--data-dir", str(tmp_path)]
    process = subprocess.Popen([str(HANDFED), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(passes_on_record(tmp_path)) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait() != 0
    stopped = passes_on_record(tmp_path)
    assert len(stopped) < 40

    done = handfed("train", "--resume", "1", "--json", data_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == 1
    assert passes_on_record(tmp_path)[: len(stopped)] == stopped
    assert [number for number, _ in passes_on_record(tmp_path)] == list(range(1, 41))


def passes_on_record(data_dir: Path) -> list[tuple[int, float]]:
    """Number and loss of each round, once the first is there."""
    done = handfed("runs", "show", "1", "--json", data_dir=data_dir)
    rounds = json.loads(done.stdout)["rounds"] if done.returncode == 0 else []
    return [(each["number"], each["loss"]) for each in rounds]


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
        (["--partition", "writer"], "scenario writers names no data set"),
        (["digit"], "did you mean 'digits'"),
        (["/no/such/scenario.toml"], "/no/such/scenario.toml"),
        (["writers", "--data", "mnist5k", "--rounds", "5"], "qat-rounds 10 exceeds rounds 5"),
        (["--nan", "1.5"], "nan is 1.5"),
        (["--dropouts", "0.6", "--stragglers", "0.6"], "dropouts and stragglers"),
        (["--sweep", "round=1,2"], "did you mean 'rounds'"),
        (["--sweep", "rounds=40,0"], "rounds 0 is out of bounds"),
        (["--sweep", "data=mnist5k,/no/such/file.npz"], "/no/such/file.npz"),
        (["--seed", "1", "--sweep", "seed=0,1"], "both swept and set"),
        (["--resume", "1"], "run 1 cannot be resumed"),
        (["digits", "--resume", "1", "--rounds", "40"], "takes no scenario digits, --rounds"),
        (["--resume", "1", "--sweep", "seed=0,1"], "takes no --sweep"),
        (["--local-only", "--sweep", "seed=0,1"], "--local-only"),
        (["--local-only", "--resume", "1"], "--local-only"),
        (["few-corrections", "--local-only"], "leave --local-only out"),
        (["few-corrections", "--sweep", "seed=0,1"], "leave --sweep out"),
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


def test_what_goes_on_in_one_place_takes_no_other_setting(tmp_path: Path) -> None:
    done = handfed("train", "--resume", "1", "--rounds", "40", data_dir=tmp_path / "data")
    assert done.returncode == 2
    assert "takes no --rounds" in done.stderr
    assert not (tmp_path / "data").exists()


def test_what_is_not_the_users_doing_exits_with_1(my_digits: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    arguments = ["--data", str(my_digits), *SHORT, "--database", f"sqlite:///{tmp_path}/file/handfed.db"]
    done = handfed("simulate", *arguments, data_dir=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr


def test_every_option_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "simulate.md").read_text(encoding="utf-8")
    app = typer.Typer()
    app.command()(simulate)
    options = [name for each in typer.main.get_command(app).params for name in each.opts if name.startswith("--")]
    assert "--sign-flipped" in options
    named = [*TYPER_OWN, *re.findall(r"--[a-z-]+", page)]
    assert not [option for option in options if option not in named]


def test_a_wrong_file_is_named_with_its_table(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[run]\nround = 3\n")
    done = handfed("simulate", str(file), data_dir=tmp_path / "data")
    assert done.returncode == 2
    assert f"{file}, [run]: there is no key 'round'; did you mean 'rounds'?" in done.stderr


def test_scenarios_are_listed() -> None:
    done = subprocess.run([str(HANDFED), "simulate", "--list"], capture_output=True, text=True, check=True)
    assert "two-classes" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    done = subprocess.run([str(HANDFED), "simulate", "--list", "--json"], capture_output=True, text=True, check=True)
    found = {each["name"]: each for each in json.loads(done.stdout)["scenarios"]}
    assert set(found["writers"]) == {
        "name", "summary", "default_for", "data", "partition", "devices", "held_out", "rounds",
    }  # fmt: skip
    assert found["writers"]["data"] is None
    assert found["digits"]["rounds"] == 40


def test_a_run_leaves_the_scenario_that_it_ran(simulated: tuple[Path, dict[str, object]], my_digits: Path) -> None:
    data_dir, printed = simulated
    file = data_dir / "runs" / f"{printed['run']:04}" / "scenario.toml"
    scenario = Scenario.from_toml(file.read_text(encoding="utf-8"))
    assert scenario.data == str(my_digits)
    assert scenario.partition == "writer"
    assert (scenario.run.rounds, scenario.run.qat_rounds, scenario.run.float_margin) == (2, 1, 1.0)  # as typed
    assert (
        scenario.run.learning_rate == scenarios.find("writers").values["learning_rate"] != RunSettings().learning_rate
    )
    assert scenario.run.momentum == 0.9  # a default


@pytest.mark.slow
def test_a_sweep_compares_its_runs_and_goes_on_after_one_that_failed(my_digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        f'data = "{my_digits}"\npartition = "iid"\ndevices = 2\n'
        "[run]\nrounds = 5\nqat-rounds = 1\naugmentation = 0\nfloat-margin = 1\n"
    )
    tracked = ["--tensorboard", str(tmp_path / "logs"), "--mlflow", f"file:{tmp_path}/mlflow"]
    done = handfed("simulate", str(file), "--sweep", "nan=1,0", *tracked, "--json", data_dir=tmp_path / "data")
    assert done.returncode == 1, done.stderr  # one of them failed
    failed, well = json.loads(done.stdout)
    assert set(failed) == {"swept", "error", "page"}
    assert "quorum" in failed["error"]
    assert (failed["swept"], well["swept"]) == ({"nan": 1.0}, {"nan": 0.0})
    assert set(well) >= FIELDS
    assert Path(well["page"]) == tmp_path / "data" / "runs" / "0001-0002" / "sweep.html"
    page = Path(well["page"]).read_text(encoding="utf-8")
    assert "run 2: nan=0" in page
    assert "failed" in page
    assert len(list((tmp_path / "logs").glob("*-run-*/events.out.tfevents.*"))) == 2
    assert sorted(each.read_text() for each in (tmp_path / "mlflow").glob("*/*/params/nan")) == ["0.0", "1.0"]
