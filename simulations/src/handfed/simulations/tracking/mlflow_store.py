"""A tracker for MLflow: a run of the experiment `handfed` for each run.

    parameters   the scenario, setting by setting
    metrics      the figures of each round, by round, and the closing figures
    tags         handfed.place, handfed.run, handfed.release, handfed.weights_sha256

Nothing is uploaded as an artifact. The store is what MLflow itself takes: `file:FOLDER`, `sqlite:///FILE`, or the
address of a tracking server; for a server, MLflow reads name and password from its own environment variables.

Source: https://mlflow.org/docs/latest/ml/tracking
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from handfed.server.flower.state import Arrays
from handfed.server.runs.schemas import RecordedRun, RoundResult
from handfed.shared.errors import MissingExtraError
from handfed.simulations.tracking.tracker import EXTRA, Ending, TrackingError, place, scalars

# MLflow reads these when it is imported: it reports nothing home, and a server that is gone costs seconds, not minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.tracking import MlflowClient
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "mlflow", EXTRA) from error

EXPERIMENT: Final = "handfed"
_PLACE: Final = "handfed.place"
_STATUS: Final[dict[Ending, str]] = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


class MlflowStore:
    """A `handfed.simulations.tracking.Tracker`.

    Args:
        uri: Of the tracking store.

    Raises:
        TrackingError: The store cannot be reached, or is of a kind that MLflow does not know.
    """

    def __init__(self, uri: str) -> None:
        if uri.startswith("file:"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # who names one wants one
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self._password = _password(uri)
        self._run = ""
        self._last = 0
        with self._errors():
            self._client = MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(EXPERIMENT)
            self._experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)

    def begin(self, run: RecordedRun, settings: Mapping[str, str], *, resumed: bool) -> None:
        """Makes a run of the experiment, or takes up the one that there is."""
        with self._errors():
            if resumed:
                found = self._client.search_runs([self._experiment], f"tags.`{_PLACE}` = '{place(run)}'")
                if found:
                    self._run = found[0].info.run_id
                    self._client.update_run(self._run, status="RUNNING")
                    return
            tags = {_PLACE: place(run), "handfed.run": str(run.id)}
            made = self._client.create_run(self._experiment, tags=tags, run_name=f"run {run.id}")
            self._run = made.info.run_id
            self._client.log_batch(self._run, params=[Param(name, value) for name, value in settings.items()])

    def round(self, result: RoundResult, arrays: Arrays) -> None:
        """Writes the figures of a round."""
        del arrays
        self._last = result.number
        self._log(scalars(result))

    def end(self, ending: Ending, figures: Mapping[str, float], marks: Mapping[str, str]) -> None:
        """Writes the closing figures, and how the run ended."""
        self._log({f"closing/{name}": value for name, value in figures.items()})
        with self._errors():
            tags = [RunTag(f"handfed.{name}", value) for name, value in marks.items()]
            self._client.log_batch(self._run, tags=tags)
            self._client.set_terminated(self._run, _STATUS[ending])

    def _log(self, figures: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        with self._errors():
            metrics = [Metric(name, value, now, self._last) for name, value in figures.items()]
            self._client.log_batch(self._run, metrics=metrics)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Keeps MLflow's warnings to itself, and names what it raises, without the store's password.

        Raises:
            TrackingError: In place of any error.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:  # MLflow's stores raise their libraries' errors as well, and plain `Exception`
            text = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
            if self._password:
                text = text.replace(self._password, "***")
            raise TrackingError(f"MLflow's store does not take it: {text}") from error


def _password(uri: str) -> str:
    """The password within a URI; empty for none."""
    try:
        return urlsplit(uri).password or ""
    except ValueError:  # not a URI at all, as MLflow will say
        return ""
