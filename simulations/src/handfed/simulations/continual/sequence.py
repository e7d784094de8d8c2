"""Runs each method through the steps, each run going on from the one before; the last model of one method is published.

Every run is on record and can be looked at like any other. A sequence that broke off goes on with `resume`: a run that
is done, from that number on, with the same settings on the same handwriting is not trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from handfed.server.flower.app import create_app
from handfed.server.flower.course import Course
from handfed.server.flower.earlier import on_record
from handfed.server.flower.state import Arrays, RunState
from handfed.server.runs.recorder import Recorder
from handfed.shared.errors import RunFailedError
from handfed.shared.files import held
from handfed.shared.run_settings import Value
from handfed.simulations.continual.findings import Correct, Findings, Learnt
from handfed.simulations.continual.handwriting import Handwriting
from handfed.simulations.continual.methods import Method, published
from handfed.simulations.engines import Workers
from handfed.simulations.federation import Federation, Outcome, Place, breaks_noted, simulate, start_of
from handfed.simulations.scenario import Scenario
from handfed.simulations.terminal import Watch

Watching = Callable[[str, int], AbstractContextManager[Watch]]  # what is trained, and in how many rounds


@dataclass(frozen=True)
class Sequence:
    """What is to be run.

    Attributes:
        scenario: What a person asked for; `run` is that of a step.
        handwriting: In its steps.
        methods: How it is to be learnt.
    """

    scenario: Scenario
    handwriting: Handwriting
    methods: tuple[Method, ...]

    def federation(self, step: int, method: Method, runs: list[int], *, publish: bool) -> Federation:
        """The federation of a step.

        Args:
            step: Its number.
            method: How it is learnt.
            runs: The runs of the steps before.
            publish: Whether its model is to be published, and so trained for that.
        """
        run = self.scenario.run
        floats = run.rounds - run.qat_rounds
        if not step:
            floats = self.scenario.first_rounds or floats
        quantized = run.qat_rounds if publish else 0
        settings = replace(
            run,
            rounds=floats + quantized,
            qat_rounds=quantized,
            warmup_rounds=min(run.warmup_rounds, floats // 2),
            evaluate_every=floats + quantized,
            start_from=runs[-1] if step else 0,
            teacher=runs[-1] if step and method.teacher else 0,
            replay_memory=run.replay_memory if step and method.memory else 0,
        )
        dataset, partition, seen = self.handwriting.of_step(step, method, runs)
        return Federation(dataset, partition, replace(self.scenario, run=settings), seen, self.scenario)


@dataclass(frozen=True)
class Means:
    """With what a sequence is run.

    Attributes:
        place: Where the record and the release go.
        engine: Name of the engine.
        workers: What it computes with.
        watching: Shows how a run goes on.
        report: Tells people of what the published run gave.
        resume: Number from which on runs that are done count; None for none.
    """

    place: Place
    engine: str
    workers: Workers
    watching: Watching
    report: Callable[[Federation, Outcome], None]
    resume: int | None = None


def run(sequence: Sequence, means: Means) -> Findings:
    """Runs the sequence.

    Raises:
        HandfedError: What ended a run; it is on record.
    """
    handwriting, to_publish = sequence.handwriting, published(sequence.methods)
    steps = len(handwriting.steps)
    first = _trained(
        sequence.federation(0, to_publish, [], publish=False), means, f"first step: {handwriting.steps.names[0]}"
    )
    learnt, outcome = [], None
    for method in sequence.methods:
        runs, models = [first[0]], [first[1]]
        for step in range(1, steps):
            title = f"{method.name}: {handwriting.steps.names[step]}"
            is_published = method is to_publish and step == steps - 1
            federation = sequence.federation(step, method, runs, publish=is_published)
            if is_published:
                outcome = _published(federation, means, title)
                number, arrays = outcome.run, outcome.publication.floating
            else:
                number, arrays = _trained(federation, means, title)
            runs.append(number)
            models.append(arrays)
        learnt.append(_learnt(sequence, method, runs, models))
    if outcome is None:  # a sequence has two steps at least
        raise RunFailedError("no step was published; name two steps at least")
    return Findings(
        handwriting.steps.names,
        tuple(learnt),
        to_publish.name,
        outcome.publication.number,
        str(outcome.publication.directory / "model.tflite"),
        outcome.readings.int8.correct,
    )


def _trained(federation: Federation, means: Means, title: str) -> tuple[int, Arrays]:
    """The number and the float model of a run without a release: one that is there already, or a new one."""
    place, runs = means.place, means.place.runs
    found = next(_same(federation, means), None)
    if found is not None:
        return found, _float_model(on_record(runs)(found))
    run = runs.start(start_of(federation, means.engine), partial(place.write, federation))
    kept: list[RunState] = []

    def keep(_course: Course, state: RunState) -> None:
        kept.append(state)

    with (
        held(place.of_run(run) / "lock", what=f"run {run}"),
        breaks_noted(runs, run),
        means.watching(title, federation.settings.rounds) as watch,
    ):
        app = create_app(keep, [Recorder(runs, run), watch], None, on_record(runs))
        federation.carry(app, means.engine, means.workers, watch)
        last = runs.rounds(run)[-1]
        runs.finish(run, {"accuracy_float": last.accuracy})
    return run, _float_model(kept[0])


def _published(federation: Federation, means: Means, title: str) -> Outcome:
    with means.watching(title, federation.settings.rounds) as watch:
        return simulate(
            federation,
            means.place,
            engine=means.engine,
            workers=means.workers,
            listeners=[watch],
            progress=watch,
            report=lambda outcome: means.report(federation, outcome),
        )


def _same(federation: Federation, means: Means) -> Iterator[int]:
    """Runs that are done and were as this one would be: the same settings give the same weights."""
    if means.resume is None:
        return
    wanted = _of_one_method(start_of(federation, means.engine).settings)
    for run in means.place.runs.list(status="done"):
        if run.id >= means.resume and _of_one_method(run.settings) == wanted:
            yield run.id


def _of_one_method(settings: Mapping[str, Value]) -> dict[str, Value]:
    """The settings of a run, but for which other methods are compared with its own."""
    return {name: value for name, value in settings.items() if name != "methods"}


def _float_model(state: RunState) -> Arrays:
    if state.floating is None:
        raise RunFailedError("a run ended without a float model; see its record")
    return state.floating


def _learnt(sequence: Sequence, method: Method, runs: list[int], models: list[Arrays]) -> Learnt:
    handwriting = sequence.handwriting
    rows = handwriting.held_out
    writers = handwriting.dataset.writers
    correct: list[Correct] = []
    untrained: list[Correct] = []
    for step, arrays in enumerate(models):
        trainer = sequence.federation(step, method, runs, publish=False).trainer()
        samples = handwriting.dataset.samples.take(rows)
        wanted = handwriting.labels(step)[rows]
        for found, model in ((correct, arrays), (untrained, trainer.initial())):
            found.append(_right(trainer.read(model, samples, quantized=False), wanted))
    return Learnt(
        method.name,
        tuple(runs),
        np.array(correct),
        np.array(untrained),
        handwriting.steps.step[rows],
        None if writers is None else writers[rows],
    )


def _right(read: list[list[int]], wanted: NDArray[np.int32]) -> Correct:
    right: Correct = np.array([text[0] for text in read]) == wanted
    return right
