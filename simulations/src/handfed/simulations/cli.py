"""`handfed simulate`: a whole federation on this machine, from handwriting to a published INT8 model.

`--json` prints one object on standard output: run, release, model_path, samples, accuracy_float, accuracy_int8,
accuracy_int8_calibrated_only, float_minus_int8 {difference, low, high}, size_bytes, latency_ms_median, rounds, wall_s,
peak_memory_bytes, weights_sha256, report. Rates are fractions from 0 to 1.

Exit status: 0 a release was published, 2 wrong use or input, 1 anything else.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handfed.shared import data_directory
from handfed.shared.errors import SettingError
from handfed.shared.run_settings import RunSettings
from handfed.simulations.options import with_run_settings

if TYPE_CHECKING:
    from handfed.simulations.federation import Federation, Outcome


@with_run_settings
def simulate(
    data: Annotated[
        str, typer.Option(help="Name of a data set (see `handfed data list`), or a file or folder of one.")
    ] = "mnist5k",
    partition: Annotated[
        str, typer.Option(help="Who holds what: iid, dirichlet:ALPHA, or writer (a device for each writer).")
    ] = "dirichlet:0.3",
    devices: Annotated[int, typer.Option(help="How many devices; with writer, one for each writer.")] = 20,
    held_out: Annotated[float, typer.Option(help="Fraction that is never trained on: writers, or images.")] = 0.2,
    engine: Annotated[str, typer.Option(help="What carries the messages: in-process.")] = "in-process",
    threads: Annotated[
        int,
        typer.Option(
            help="Threads of TensorFlow; 0 for every core. Small batches gain nothing from more than 1.", min=0
        ),
    ] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="Where runs and releases are kept.")] = None,
    database: Annotated[str | None, typer.Option(help="URL of the database, instead of one in the folder.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where the report goes, instead of the run's folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    **settings: Any,  # noqa: ANN401 - the fields of RunSettings
) -> None:
    """Simulate a federation on this machine: train, quantize, publish, report."""
    run_settings = RunSettings.from_mapping(settings)
    # No telemetry and no update check: Flower reads these when it is imported.
    os.environ.update(FLWR_TELEMETRY_ENABLED="0", FLWR_DISABLE_UPDATE_CHECK="1", RAY_USAGE_STATS_ENABLED="0")
    from handfed.simulations.engines import ENGINES
    from handfed.simulations.terminal import starting

    if engine not in ENGINES:
        raise SettingError(f"there is no engine {engine!r}; choose one of: {', '.join(ENGINES)}")

    with starting(quiet=as_json):
        federation = _federation(data, partition, devices, held_out, run_settings)
        from handfed.shared.tf.runtime import configure

        configure(threads)
        logging.getLogger("flwr").setLevel(logging.WARNING)  # Flower sets INFO when it is imported
    outcome, page = _run(federation, engine, data_directory.locate(data_dir), database, report, as_json)
    if as_json:
        print(json.dumps({**outcome.summary(), "rounds": run_settings.rounds, "report": str(page)}))
    else:
        from rich.console import Console

        from handfed.simulations.terminal import closing

        Console().print(closing(outcome, str(page)))


def _federation(data: str, scheme: str, devices: int, held_out: float, settings: RunSettings) -> Federation:
    """Reads and checks everything that can be wrong before TensorFlow is imported, which takes seconds."""
    from handfed.clients import datasets
    from handfed.simulations.partition import split

    dataset = datasets.read(data)
    settings.alpha(dataset.alphabet.names)  # a wrong class is told now, not in the first round
    count = None if scheme == "writer" else devices
    partition = split(dataset, scheme=scheme, devices=count, held_out=held_out, seed=settings.seed)
    from handfed.simulations.federation import Federation

    return Federation(dataset, partition, scheme, settings)


def _run(
    federation: Federation,
    engine: str,
    directory: Path,
    database: str | None,
    report: Path | None,
    as_json: bool,
) -> tuple[Outcome, Path]:
    from handfed.server.database import open_database
    from handfed.server.releases.service import ReleaseRecord
    from handfed.server.runs.service import RunRecord
    from handfed.simulations.engines import ENGINES
    from handfed.simulations.federation import simulate as run_federation
    from handfed.simulations.report.writing import write_report
    from handfed.simulations.terminal import watching

    with (
        open_database(data_directory.database_url(directory, database)) as record,
        watching(federation.settings.rounds, quiet=as_json) as watch,
    ):
        outcome = run_federation(
            federation,
            engine=ENGINES[engine],
            engine_name=engine,
            runs=RunRecord(record),
            releases=ReleaseRecord(record),
            directory=data_directory.releases_in(directory),
            listeners=[watch],
            progress=watch,
        )
        page = report or data_directory.runs_in(directory) / f"{outcome.run:04d}" / "report.html"
        command = f"handfed {shlex.join(sys.argv[1:])}"
        write_report(page, federation, outcome, command)
    return outcome, page
