"""MLflow: what a store on this machine holds of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.simulations.scenario import Scenario
from handfed.simulations.tracking import Ending, TrackingError
from handfed.simulations.tracking.mlflow_store import EXPERIMENT, MlflowStore
from handfed.simulations.tracking.tracker import tellable


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """A folder; to make a database takes MLflow seconds."""
    return f"file:{tmp_path}/store"


def runs(uri: str) -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def steps(uri: str, run: Run, metric: str) -> dict[int, float]:
    history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, metric)
    return {each.step: each.value for each in history}


@pytest.mark.filterwarnings("ignore")  # reading by MLflow's own client, which warns of its own parts
def test_a_run_leaves_settings_rounds_closing_figures_and_tags(
    run: RecordedRun, rounds: list[RoundResult], arrays: list[Arrays], uri: str
) -> None:
    store = MlflowStore(uri)
    store.begin(run, tellable(Scenario()), resumed=False)
    for result, model in zip(rounds, arrays, strict=True):
        store.round(result, model)
    store.end("done", {"accuracy_int8": 0.5, "float_minus_int8/low": -0.001}, {"release": "3"})
    (found,) = runs(uri)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "run 12"
    assert found.data.params["learning_rate"] == "0.05"
    assert found.data.params["sign_flipped"] == "0.0"
    assert found.data.tags["handfed.release"] == "3"
    assert found.data.tags["handfed.place"] == "20260506-120000-run-0012"
    assert steps(uri, found, "loss") == {1: 1.5, 2: 0.75}
    assert steps(uri, found, "accuracy") == {2: 0.875}
    assert steps(uri, found, "closing/float_minus_int8/low") == {2: -0.001}
    assert MlflowClient(tracking_uri=uri).list_artifacts(found.info.run_id) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ending", "status"), [("failed", "FAILED"), ("stopped", "KILLED")])
def test_a_resumed_run_goes_on_where_it_broke_off(
    run: RecordedRun, rounds: list[RoundResult], ending: Ending, status: str, tmp_path: Path
) -> None:
    uri = f"file:{tmp_path}"
    store = MlflowStore(uri)
    store.begin(run, {"rounds": "2"}, resumed=False)
    store.round(rounds[0], {})
    store.end(ending, {}, {})
    (broken,) = runs(uri)
    assert broken.info.status == status
    store = MlflowStore(uri)
    store.begin(run, {"rounds": "2"}, resumed=True)
    assert runs(uri)[0].info.status == "RUNNING"
    store.round(rounds[1], {})
    store.end("done", {}, {})
    (found,) = runs(uri)
    assert found.info.run_id == broken.info.run_id
    assert found.info.status == "FINISHED"
    assert steps(uri, found, "loss") == {1: 1.5, 2: 0.75}


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_run_that_a_store_does_not_know_begins_there(run: RecordedRun, tmp_path: Path) -> None:
    MlflowStore(f"file:{tmp_path}").begin(run, {"rounds": "2"}, resumed=True)
    (found,) = runs(f"file:{tmp_path}")
    assert found.data.params == {"rounds": "2"}


def test_a_store_that_mlflow_does_not_know_is_told_at_once() -> None:
    with pytest.raises(TrackingError, match="MLflow's store does not take it"):
        MlflowStore("magic://somewhere")


def test_a_password_is_not_told() -> None:
    with pytest.raises(TrackingError) as caught:
        MlflowStore("magic://ada:pass-word@somewhere")
    assert "pass-word" not in str(caught.value)
    assert "ada" in str(caught.value)


def test_a_store_that_went_away_is_a_tracking_error(
    run: RecordedRun, rounds: list[RoundResult], tmp_path: Path
) -> None:
    store = MlflowStore(f"file:{tmp_path}/store")
    store.begin(run, {}, resumed=False)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(TrackingError):
        store.round(rounds[0], {})
