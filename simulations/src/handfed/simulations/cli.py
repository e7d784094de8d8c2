"""`handfed simulate`: a whole federation on this machine, from handwriting to a published INT8 model.

`--json` prints one object on standard output: run, release, model_path, samples, accuracy_float, accuracy_int8,
accuracy_int8_quantization_aware, accuracy_int8_calibrated_only, float_minus_int8 {difference, low, high}, writers
(where they are known: count, p10, median, p90, worst_decile of those held out), size_bytes, latency_ms_median, rounds,
wall_s, peak_memory_bytes, weights_sha256, report. Rates are fractions from 0 to 1.

With `--local-only` the object holds devices, passes, accuracy_mean, accuracy_p10, accuracy_median, accuracy_p90 and
accuracy_best over the devices, each of which trained alone and read everybody's held-out images.

With `--steps` the object holds steps (their names), methods, published (the method), release, model_path,
average_accuracy_int8 and report. Each method has method, runs (a run a step), average_accuracy, backward_transfer,
forward_transfer, forgetting, matrix (accuracy on what step j brought, after step i), kept and against_joint (a step
each: difference, low, high of the 95 % interval) and writers (where they are known: writers, accuracy_median,
accuracy_worst_decile, forgetting_median, forgetting_worst_decile).

Of a study the object holds study, what was measured (docs/continual.md), aims (figure, measured, aim, better, met) and
report.

`handfed train` prints the same as `handfed simulate`: it is a federation of one device.

With `--sweep` it prints a list of these, one a run, each with `swept` (an object of what was varied) and `page` (where
the comparison is); a run that failed has only `swept`, `error` and `page`. With `--list` it prints
`{"scenarios": [...]}`, each with name, summary, data, partition, devices, held_out, rounds and default_for.

Exit status: 0 a release was published (of every run of a sweep), 2 wrong use or input, 1 anything else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handfed.shared import data_directory
from handfed.shared.errors import ReleaseRefusedError, RunFailedError, SettingError
from handfed.shared.printable import printable
from handfed.shared.run_settings import RunSettings, Value, option
from handfed.simulations import running
from handfed.simulations.faults import Faults
from handfed.simulations.options import command_line, typed, with_settings
from handfed.simulations.running import Means
from handfed.simulations.scenario import Scenario, ScenarioFile, types_by_name
from handfed.simulations.sweep import Swept, grid, label

if TYPE_CHECKING:
    from handfed.simulations.federation import Federation, Outcome


TASK: Final = typer.Option(help="What is recognised: digits, characters, words or lines, or a file of a task.")
RESUME: Final = typer.Option(help="Go on with a run that broke off, by its number.", show_default=False)


@with_settings(RunSettings, Faults)
def simulate(
    context: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FILE]", help="A scenario (see --list), or a file of one.", show_default=False),
    ] = None,
    data: Annotated[
        str, typer.Option(help="Name of a data set (see `handfed data list`), or a file or folder of one.")
    ] = "mnist5k",
    task: Annotated[str, TASK] = "characters",
    partition: Annotated[
        str,
        typer.Option(
            help="Who holds what: iid, dirichlet:ALPHA, shards:K, quantity:BETA, writer (a device for each writer),"
            " schools:N or feature:STYLE."
        ),
    ] = "dirichlet:0.3",
    devices: Annotated[int, typer.Option(help="How many devices; writer and schools:N have their own number.")] = 20,
    held_out: Annotated[float, typer.Option(help="Fraction that is never trained on: writers, or images.")] = 0.2,
    labelled: Annotated[
        float,
        typer.Option(help="Fraction of what a device trains on that has a label; see --pseudo-labels for the rest."),
    ] = 1.0,
    steps: Annotated[
        str,
        typer.Option(
            help="How handwriting comes in steps, each learnt after the other: classes:K, classes:A,B,...,"
            " groups:NAME,... or styles:STYLE,...; empty for all at once."
        ),
    ] = "",
    methods: Annotated[
        str, typer.Option(help="With --steps: of naive, replay, distillation, both and joint, which are compared.")
    ] = "naive,replay,distillation,both,joint",
    first_rounds: Annotated[
        int, typer.Option(help="With --steps: float rounds of the first one; 0 for as many as the others have.", min=0)
    ] = 0,
    study: Annotated[
        str, typer.Option(help="What one device makes of what people do, instead: label-noise or few-corrections.")
    ] = "",
    list_scenarios: Annotated[bool, typer.Option("--list", help="Show the scenarios that have a name.")] = False,
    resume: Annotated[int | None, RESUME] = None,
    local_only: Annotated[
        bool,
        typer.Option(
            "--local-only", help="Let each device train alone instead, and say how it reads: a lower reference."
        ),
    ] = False,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=A,B,...",
            help="Run once with each of these values; given again, with each combination.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="What carries the messages: in-process, pool (a worker process a core) or ray. Without it pool, where"
            " there are several cores.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Worker processes of the engine; 0 for one a core.", min=0)] = 0,
    ray_address: Annotated[
        str | None, typer.Option(help="A Ray cluster, for --engine ray, instead of this machine.", show_default=False)
    ] = None,
    threads: Annotated[
        int,
        typer.Option(
            help="Threads of TensorFlow; 0 for every core. Small batches gain nothing from more than 1.", min=0
        ),
    ] = 1,
    tensorboard: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the course of the run for TensorBoard.")
    ] = None,
    mlflow: Annotated[
        str | None, typer.Option(metavar="URI", help="Tell the course of the run to an MLflow tracking store.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where runs and releases are kept.")] = None,
    database: Annotated[str | None, typer.Option(help="URL of the database, instead of one in the folder.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where the report goes, instead of the run's folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    **_settings: Any,  # noqa: ANN401 - the fields of RunSettings and Faults, which `typed` reads
) -> None:
    """Simulate a federation on this machine: train, quantize, publish, report."""
    # The scenario takes them when they are typed.
    del data, task, partition, devices, held_out, labelled, steps, methods, first_rounds, study
    if list_scenarios:
        _list(as_json=as_json)
        return
    means = Means(
        data_directory.locate(data_dir),
        command_line(),
        as_json,
        threads=threads,
        database=database,
        report=report,
        engine=engine,
        workers=workers,
        ray_address=ray_address,
        tensorboard=tensorboard,
        mlflow=mlflow,
    )
    changes = _changes(context)
    if local_only and (sweep or resume is not None or engine or tensorboard or mlflow):
        raise SettingError(
            "--local-only is no run of a federation:"
            " it takes no --sweep, --resume, --engine, --tensorboard or --mlflow; leave those out"
        )
    if resume is not None:
        _go_on(resume, means, scenario, ["sweep"] if sweep else changes)
        return
    source, values = _values(scenario, changes)
    _say(source, means)
    if values.get("steps") and (local_only or sweep):
        raise SettingError(f"{source} has steps: --local-only and --sweep are of one run; leave them out, or the steps")
    if values.get("study"):
        also = [name for name, typed_ in (("sweep", sweep), ("local-only", local_only)) if typed_]
        _refuse_all_but_data([*changes, *also])
        _study(Scenario.from_mapping(values, source), means)
    elif local_only:
        _alone(Scenario.from_mapping(values, source), means)
    elif sweep:
        runs = grid(sweep, given=changes)
        _sweep(runs, [Scenario.from_mapping({**values, **swept}, source) for swept in runs], means)
    else:
        _one_or_steps(Scenario.from_mapping(values, source), means)


@with_settings(RunSettings)
def train(
    context: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FILE]", help="A scenario, as of `handfed simulate`.", show_default=False),
    ] = None,
    data: Annotated[
        str, typer.Option(help="Name of a data set (see `handfed data list`), or a file or folder of one.")
    ] = "mnist5k",
    task: Annotated[str, TASK] = "characters",
    partition: Annotated[str, typer.Option(help="The federation to compare with: who holds what.")] = "dirichlet:0.3",
    held_out: Annotated[float, typer.Option(help="Fraction that is never trained on: writers, or images.")] = 0.2,
    resume: Annotated[int | None, RESUME] = None,
    threads: Annotated[int, typer.Option(help="Threads of TensorFlow; 0 for every core.", min=0)] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="Where runs and releases are kept.")] = None,
    database: Annotated[str | None, typer.Option(help="URL of the database, instead of one in the folder.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where the report goes, instead of the run's folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    **_settings: Any,  # noqa: ANN401 - the fields of RunSettings, which `typed` reads
) -> None:
    """Train in one place, as many passes over the data as a federation: an upper reference."""
    del data, task, partition, held_out  # the scenario takes them when they are typed
    means = Means(
        data_directory.locate(data_dir),
        command_line(),
        as_json,
        threads=threads,
        database=database,
        report=report,
        engine="in-process",  # one device has no use for more
    )
    changes = _changes(context)
    if resume is not None:
        _go_on(resume, means, scenario, changes)
        return
    source, values = _values(scenario, changes, in_one_place=True)
    _say(f"{source}, in one place", means)
    running.silence()
    from handfed.simulations.baselines import central

    _one(central(Scenario.from_mapping(values, source)), means)


def _changes(context: typer.Context) -> dict[str, Value]:
    """What the command line says of the scenario, by field name."""
    return {name: value for name, value in typed(context).items() if name in types_by_name()}


def _values(
    reference: str | None, changes: Mapping[str, Value], *, in_one_place: bool = False
) -> tuple[str, dict[str, Value]]:
    """What errors call the scenario, and what it says, of one place or a federation, changed by the command line."""
    from handfed.shared import tasks
    from handfed.simulations import scenarios

    if reference is None:
        kinds = [tasks.find(str(changes["task"])).kind] if "task" in changes else []
        found = scenarios.taken_for(*kinds, *(str(changes[key]) for key in ("partition",) if key in changes))
    else:
        found = scenarios.find(reference)
    said = {**found.values, **found.in_one_place} if in_one_place else found.values
    return f"scenario {found.name}", {**said, **changes}


def _go_on(run: int, means: Means, scenario: str | None, changes: Iterable[str]) -> None:
    """Goes on with a run that broke off; refuses what a person says of it beside its number."""
    said = [*([f"scenario {scenario}"] if scenario else []), *(f"--{option(name)}" for name in changes)]
    if said:
        raise SettingError(
            f"--resume goes on with a run as it began, so it takes no {', '.join(said)}; leave that out, or start a"
            " new run"
        )
    _one_or_steps(running.recorded(means.directory, run), means, run)


def _one_or_steps(scenario: Scenario, means: Means, resume: int | None = None) -> None:
    if scenario.steps:
        _steps(scenario, means, resume)
    else:
        _one(scenario, means, resume)


def _steps(scenario: Scenario, means: Means, resume: int | None) -> None:
    if means.tensorboard or means.mlflow:
        raise SettingError("steps are many runs, and --tensorboard and --mlflow follow one; leave those out")
    running.silence()
    found, page = running.learn_in_steps(scenario, means, resume)
    if means.quiet:
        print(json.dumps({**found.as_json(), "report": str(page)}))
    else:
        from rich.console import Console

        from handfed.simulations.continual.table import show

        show(found, str(page), Console(highlight=False))


def _refuse_all_but_data(given: Iterable[str]) -> None:
    others = [f"--{option(name)}" for name in given if name not in {"data", "seed", "study"}]
    if others:
        raise SettingError(f"a study takes --data and --seed alone; leave {', '.join(others)} out")


def _study(scenario: Scenario, means: Means) -> None:
    running.silence()
    found, page = running.study(scenario, means, partial(_say, means=means))
    if means.quiet:
        print(json.dumps({**found.as_json(), "report": str(page)}))
    else:
        from rich.console import Console

        from handfed.simulations.studies.table import show

        show(found, str(page), Console(highlight=False))


def _one(scenario: Scenario, means: Means, resume: int | None = None) -> None:
    (federation,) = _prepared([scenario], means)
    outcome, page = running.run(federation, means, resume)
    if means.quiet:
        print(json.dumps(_summary(outcome, scenario, page)))
    else:
        from rich.console import Console

        from handfed.simulations.terminal import closing, decoder_table

        console = Console()
        if outcome.decoders is not None:
            console.print(decoder_table(outcome.decoders))
        console.print(closing(outcome, str(page)))


def _alone(scenario: Scenario, means: Means) -> None:
    (federation,) = _prepared([scenario], means)
    found = running.alone(federation, means)
    if means.quiet:
        print(json.dumps(found.summary()))
    else:
        from rich.console import Console

        from handfed.simulations.terminal import alone_table

        Console(highlight=False).print(alone_table(found))


def _sweep(runs: Sequence[Swept], scenarios: Sequence[Scenario], means: Means) -> None:
    """Runs scenarios one after another; one that fails does not stop the others."""
    numbers: list[int] = []
    printed: list[dict[str, object]] = []
    federations = _prepared(scenarios, means)
    for swept, scenario, federation in zip(runs, scenarios, federations, strict=True):
        _say(f"run {len(printed) + 1} of {len(runs)}: {label(swept)}", means)
        entry: dict[str, object] = {"swept": {option(name): value for name, value in swept.items()}}
        try:
            outcome, page = running.run(federation, replace(means, report=None), begun=numbers.append)
        except (RunFailedError, ReleaseRefusedError) as error:
            print(printable(f"{label(swept)}: {error}"), file=sys.stderr)
            entry["error"] = str(error)
        else:
            entry |= _summary(outcome, scenario, page)
        printed.append(entry)
    compared, page = running.compare(dict(zip(numbers, map(label, runs), strict=True)), means)
    if means.quiet:
        print(json.dumps([{**entry, "page": str(page)} for entry in printed]))
    else:
        from rich.console import Console

        from handfed.simulations.terminal import run_table

        Console(highlight=False).print(run_table(compared), f"\npage  {page}", markup=False, soft_wrap=True)
    if any("error" in entry for entry in printed):
        raise typer.Exit(1)


def _prepared(scenarios: Sequence[Scenario], means: Means) -> list[Federation]:
    """The federations, all of them checked before anything runs."""
    running.silence()
    running.engine_of(means.engine)  # a wrong one is told before the data is read
    from handfed.simulations.terminal import starting

    with starting(quiet=means.quiet):
        federations = running.prepare(scenarios)
        running.start_tensorflow(means.threads)
    return federations


def _say(text: str, means: Means) -> None:
    if not means.quiet:
        print(printable(text), file=sys.stderr)


def _summary(outcome: Outcome, scenario: Scenario, page: Path) -> dict[str, object]:
    return {**outcome.summary(), "rounds": scenario.run.rounds, "report": str(page)}


def _list(*, as_json: bool) -> None:
    from handfed.simulations import scenarios

    found = scenarios.built_in()
    if as_json:
        print(json.dumps({"scenarios": [_listed(each) for each in found]}))
    else:
        from rich.console import Console

        from handfed.simulations.terminal import scenario_table

        Console(highlight=False).print(scenario_table(found))


def _listed(found: ScenarioFile) -> dict[str, object]:
    scenario = found.values
    return {
        "name": found.name,
        "summary": found.summary,
        "default_for": found.default_for,
        **{name: scenario.get(name) for name in ("data", "partition", "devices", "held_out")},
        "rounds": scenario.get("rounds", RunSettings().rounds),
    }
