"""From a scenario to its outcome on this machine: reads the data, runs the federation, writes the report."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from handfed.shared import data_directory
from handfed.shared.errors import SettingError
from handfed.shared.inputs import parse
from handfed.simulations.continual.methods import methods_of
from handfed.simulations.scenario import SCENARIO, Scenario

if TYPE_CHECKING:
    from handfed.server.runs.schemas import RecordedRun
    from handfed.shared.datasets import Dataset
    from handfed.simulations.alone import Alone
    from handfed.simulations.comparison.contents import Compared
    from handfed.simulations.continual.findings import Findings
    from handfed.simulations.federation import Federation, Outcome
    from handfed.simulations.partition import Partition
    from handfed.simulations.studies.finding import Finding
    from handfed.simulations.terminal import Watch


@dataclass(frozen=True)
class Means:
    """With what a scenario is run and where what it leaves is kept; nothing of it changes what is learnt.

    Attributes:
        directory: The data directory.
        command: What a person typed, for the report.
        quiet: Whether to show nothing while it goes on.
        threads: Threads of TensorFlow in each process; 0 for every core.
        database: URL of the database; None for the one in the directory.
        report: Where the report goes; None for the run's folder.
        engine: Name of the engine; None for the one that suits this machine.
        workers: Worker processes; 0 for one a core.
        ray_address: An existing Ray cluster; None to start Ray on this machine.
        tensorboard: A folder for TensorBoard; None for none.
        mlflow: URI of an MLflow tracking store; None for none.
    """

    directory: Path
    command: str
    quiet: bool
    threads: int = 1
    database: str | None = None
    report: Path | None = None
    engine: str | None = None
    workers: int = 0
    ray_address: str | None = None
    tensorboard: Path | None = None
    mlflow: str | None = None


def prepare(scenarios: Sequence[Scenario]) -> list[Federation]:
    """Reads and checks everything that can be wrong before TensorFlow is imported, which takes seconds.

    Raises:
        UsageError: A data set cannot be read, or a scenario does not fit it.
    """
    checked = [(*_split(scenario), scenario) for scenario in scenarios]
    from handfed.simulations.federation import Federation

    return [
        Federation(
            dataset,
            partition,
            _found_from_anywhere(scenario),
        )
        for dataset, partition, scenario in checked
    ]


def recorded(directory: Path, number: int) -> Scenario:
    """The scenario that a run began with, from the run's directory.

    Raises:
        SettingError: It is not there: no run of that number was simulated here.
    """
    file = data_directory.runs_in(directory) / f"{number:04d}" / SCENARIO
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(
            f"run {number} cannot be resumed: {file} cannot be read ({reason}); `handfed runs` lists the runs, and"
            " --data-dir says where they are"
        ) from error
    return Scenario.from_toml(text, str(file))


def run(
    federation: Federation,
    means: Means,
    resume: int | None = None,
    begun: Callable[[int], None] = lambda _number: None,
) -> tuple[Outcome, Path]:
    """Runs a federation to its release and writes its report.

    Args:
        federation: What is simulated.
        means: With what.
        resume: Number of a run that broke off, to go on with; None for a new one.
        begun: Told the number of the run when it begins.

    Returns:
        The outcome, and where the report is.

    Raises:
        HandfedError: What ended the run; it is on record.
    """
    from handfed.server.database import open_database
    from handfed.server.releases.service import ReleaseRecord
    from handfed.server.runs.service import RunRecord
    from handfed.simulations.engines import Workers
    from handfed.simulations.federation import Place, simulate
    from handfed.simulations.report.writing import write_report
    from handfed.simulations.terminal import watching
    from handfed.simulations.tracking import follow

    with (
        open_database(data_directory.database_url(means.directory, means.database)) as record,
        follow(federation.scenario, means.tensorboard, means.mlflow) as following,
        watching(federation.settings.rounds, quiet=means.quiet) as watch,
    ):

        def announce(run: RecordedRun, *, resumed: bool) -> None:
            begun(run.id)
            following.begin(run, resumed=resumed)

        place = Place(RunRecord(record), ReleaseRecord(record), means.directory)

        def page_of(outcome: Outcome) -> Path:
            return means.report or place.of_run(outcome.run) / "report.html"

        outcome = simulate(
            federation,
            place,
            engine=engine_of(means.engine),
            workers=Workers(means.workers, means.threads, means.ray_address),
            listeners=[watch, following],
            progress=watch,
            resume=resume,
            begun=announce,
            report=lambda outcome: write_report(page_of(outcome), federation, outcome, means.command),
        )
        following.done(outcome.summary())
    return outcome, page_of(outcome)


def learn_in_steps(scenario: Scenario, means: Means, resume: int | None = None) -> tuple[Findings, Path]:
    """Runs a scenario that has steps by each of its methods, and writes a page that sets them side by side.

    Args:
        scenario: With steps.
        means: With what; its report is where the page goes, instead of the folder of the last run.
        resume: A run from which on those that are done are not trained again; None for none.

    Returns:
        What was learnt and forgotten, and where the page is.

    Raises:
        HandfedError: A setting does not fit, or what ended a run; it is on record.
    """
    methods, (dataset, partition) = methods_of(scenario.methods), _split(scenario)
    from handfed.simulations.continual.handwriting import Handwriting

    handwriting = Handwriting.of(dataset, partition, scenario.steps, scenario.run.seed)
    from handfed.server.database import open_database
    from handfed.server.releases.service import ReleaseRecord
    from handfed.server.runs.service import RunRecord
    from handfed.simulations.continual import sequence
    from handfed.simulations.continual.page import write_page
    from handfed.simulations.engines import Workers
    from handfed.simulations.federation import Place
    from handfed.simulations.report.writing import write_report
    from handfed.simulations.terminal import watching

    start_tensorflow(means.threads)

    @contextmanager
    def watched(title: str, rounds: int) -> Iterator[Watch]:
        with watching(rounds, quiet=means.quiet) as watch:
            watch.begin(title)
            yield watch

    with open_database(data_directory.database_url(means.directory, means.database)) as record:
        place = Place(RunRecord(record), ReleaseRecord(record), means.directory)

        def report(federation: Federation, outcome: Outcome) -> None:
            write_report(place.of_run(outcome.run) / "report.html", federation, outcome, means.command)

        how = sequence.Means(
            place,
            engine_of(means.engine or "in-process"),  # so many runs; there, what one compiled serves the next
            Workers(means.workers, means.threads, means.ray_address),
            watched,
            report,
            resume,
        )
        found = sequence.run(sequence.Sequence(_found_from_anywhere(scenario), handwriting, methods), how)
        page = means.report or place.of_run(found.learnt[-1].runs[-1]) / "steps.html"
    write_page(page, found, means.command)
    return found, page


def study(scenario: Scenario, means: Means, say: Callable[[str], None]) -> tuple[Finding, Path]:
    """Does a study, and writes its page.

    Args:
        scenario: That names one.
        means: With what; its report is where the page goes, instead of the folder of studies.
        say: Told what goes on.

    Raises:
        HandfedError: There is no such study, or it cannot be done with the data set.
    """
    from handfed.simulations.studies import study_of

    found = study_of(scenario.study)(scenario.data, scenario.run.seed, say)
    from handfed.simulations.studies.page import write_page

    page = means.report or means.directory / "studies" / f"{scenario.study}.html"
    write_page(page, found, means.command)
    return found, page


def alone(federation: Federation, means: Means) -> Alone:
    """Has each device train alone; nothing of it is recorded or published."""
    from handfed.simulations.alone import alone as train_alone
    from handfed.simulations.engines import Workers
    from handfed.simulations.terminal import watching

    with watching(0, quiet=means.quiet) as watch:
        return train_alone(federation, Workers(means.workers, means.threads, means.ray_address), watch)


def compare(labels: Mapping[int, str], means: Means) -> tuple[list[Compared], Path]:
    """Sets runs side by side on a page.

    Args:
        labels: What tells each run from the others, by its number; at least one.
        means: Where they are; its report is where the page goes, instead of a folder beside those of the runs.
    """
    from handfed.server.database import open_database
    from handfed.server.runs.service import RunRecord
    from handfed.simulations.comparison.contents import read
    from handfed.simulations.comparison.writing import write_page

    with open_database(data_directory.database_url(means.directory, means.database)) as database:
        compared = read(RunRecord(database), labels)
    folder = data_directory.runs_in(means.directory) / f"{min(labels):04d}-{max(labels):04d}"
    page = means.report or folder / "sweep.html"
    write_page(page, compared, means.command)
    return compared, page


def engine_of(name: str | None) -> str:
    """The engine to use: the one that was asked for, or a process a core where there are several cores.

    Raises:
        SettingError: There is none of that name.
    """
    from handfed.simulations.engines import ENGINES

    if name is None:
        return "pool" if len(os.sched_getaffinity(0)) > 1 else "in-process"
    if name not in ENGINES:
        raise SettingError(f"there is no engine {name!r}; choose one of: {', '.join(ENGINES)}")
    return name


def silence() -> None:
    """Keeps Flower and Ray from reporting home; they read this when they are imported."""
    os.environ.update(FLWR_TELEMETRY_ENABLED="0", FLWR_DISABLE_UPDATE_CHECK="1", RAY_USAGE_STATS_ENABLED="0")


def start_tensorflow(threads: int) -> None:
    """Imports TensorFlow, for this process."""
    from handfed.shared.tf.runtime import configure

    configure(threads)
    logging.getLogger("flwr").setLevel(logging.WARNING)  # Flower sets INFO when it is imported


def _split(scenario: Scenario) -> tuple[Dataset, Partition]:
    from handfed.clients.datasets.reading import with_planes
    from handfed.simulations.partition import split
    from handfed.simulations.partition.device_styles import styled

    dataset = _dataset(scenario.data, scenario.task, scenario.run.inputs)
    scenario.run.alpha(dataset.alphabet.names)  # a wrong class is told now, not in the first round
    partition = split(
        dataset,
        scheme=scenario.partition,
        devices=scenario.devices,
        held_out=scenario.held_out,
        seed=scenario.run.seed,
        labelled=scenario.labelled,
    )
    restyled = styled(dataset, partition, scenario.partition, scenario.run.seed)
    if scenario.run.inputs and restyled is not dataset:
        restyled = with_planes(restyled, Path(scenario.data), parse(scenario.run.inputs))  # of what it looks like now
    return restyled, partition


@lru_cache(maxsize=4)  # the runs of a sweep share their handwriting
def _dataset(reference: str, task: str, inputs: str) -> Dataset:
    from handfed.clients import datasets

    return datasets.read(reference, task, inputs)


def _found_from_anywhere(scenario: Scenario) -> Scenario:
    """The scenario such that the run can be resumed from another folder: what is no name becomes a whole path."""
    from handfed.clients.datasets import named
    from handfed.shared.tasks import TASKS

    data, task = scenario.data, scenario.task
    return replace(
        scenario,
        data=data if data in named.names() else str(Path(data).absolute()),
        task=task if task in TASKS else str(Path(task).absolute()),
    )
