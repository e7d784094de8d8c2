"""What a run takes over from an earlier one: the arrays it starts from, and the teacher it learns from.

Both are the float model of a run that has come to the end of its float rounds, of the same inputs and of the same
alphabet, or of one that has grown since: every class of theirs is a class of the run's. The arrays to start from are of
the same family, and may have more channels: those that matter least are left out. Outputs of new classes are put beside
the old ones (`handfed.shared.continual.growth`). A teacher is of any family that reads the same kind of samples, and
has no say in classes that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from handfed.server.flower.state import Arrays, Model, RunState
from handfed.server.runs.service import RunRecord
from handfed.shared.continual.growth import positions
from handfed.shared.errors import SettingError
from handfed.shared.local_training import Teacher
from handfed.shared.recognisers import family
from handfed.shared.run_settings import RunSettings
from handfed.shared.subject import Subject

if TYPE_CHECKING:
    from handfed.shared.tf.training import Trainer

Earlier = Callable[[int], RunState]  # where a run stood in the end, by its number


def on_record(runs: RunRecord) -> Earlier:
    """The runs of a record; what is given raises `UnknownRunError`, and `SettingError` for a run without a round."""

    def state_of(number: int) -> RunState:
        recorded = runs.get(number)  # a run that is not there says so
        checkpoint = runs.checkpoint(number)
        if checkpoint is None:
            raise SettingError(f"run {number} has not ended a round; name a run that has a model")
        state = RunState.from_bytes(checkpoint)
        if state.floating is None and recorded.status == "done":  # without quantization-aware rounds none came after
            return replace(state, floating=state.outcome if state.best is None else state.best)
        return state

    return state_of


def none_on_record(number: int) -> RunState:
    """For a server that keeps no record.

    Raises:
        SettingError: Always.
    """
    raise SettingError(f"run {number} is not on record here")


def check(earlier: Earlier, settings: RunSettings, model: Model) -> None:
    """Refuses a run that takes over what it cannot use, before it is on record.

    Args:
        earlier: Runs that were before.
        settings: Which of them it starts from, and learns from.
        model: What is trained.

    Raises:
        SettingError: As `start` and `teacher` say.
    """
    if settings.start_from:
        _to_start_from(earlier, settings.start_from, model)
    if settings.teacher:
        teacher(earlier, settings.teacher, model)


def model_of(earlier: Earlier, settings: RunSettings, subject: Subject) -> Model:
    """What a run trains; its alphabet is a version later than that of the run it starts from, where it has grown."""
    model = Model.of(settings, subject)
    if not settings.start_from:
        return model
    before, _ = _to_start_from(earlier, settings.start_from, model)
    return replace(model, alphabet_version=before.alphabet_version + (before.alphabet != model.alphabet))


def start(earlier: Earlier, number: int, model: Model, trainer: Trainer) -> Arrays:
    """The arrays that a run starts from.

    Args:
        earlier: Runs that were before.
        number: The one to start from.
        model: What is trained.
        trainer: Its trainer.

    Raises:
        SettingError: That run has no float model, or one of another height or family, with fewer channels, or with a
            class that `model` lacks.
    """
    before, arrays = _to_start_from(earlier, number, model)
    if before.alphabet != model.alphabet:
        return trainer.grown(arrays, before.alphabet, model.alphabet)
    return arrays if before.pruning == model.pruning else trainer.pruned(arrays, before.pruning)


def _to_start_from(earlier: Earlier, number: int, model: Model) -> tuple[Model, Arrays]:
    before, arrays = _float_model(earlier, number, model)
    if before.recogniser != model.recogniser:
        raise SettingError(f"run {number} trained recogniser {before.recogniser}, not {model.recogniser}")
    if before.pruning > model.pruning:
        raise SettingError(
            f"run {number} was pruned by {before.pruning:g} already, which {model.pruning:g} would undo; prune as much"
            " or more"
        )
    if before.pruning != model.pruning and before.alphabet != model.alphabet:
        raise SettingError(f"run {number} is to be pruned and to learn new classes; do one of them in a run of its own")
    return before, arrays


def teacher(earlier: Earlier, number: int, model: Model) -> Teacher:
    """The teacher that a run learns from.

    Args:
        earlier: Runs that were before.
        number: The one whose model teaches.
        model: What is trained.

    Raises:
        SettingError: That run has no float model, or one of another height or kind of samples, or with a class that
            `model` lacks.
    """
    before, arrays = _float_model(earlier, number, model)
    columns = family(model.recogniser).columns
    if family(before.recogniser).columns != columns:
        raise SettingError(
            f"recogniser {before.recogniser} of run {number} cannot teach {model.recogniser}: they do not say the same"
            " things of the same parts of a picture"
        )
    same = before.alphabet == model.alphabet
    classes = None if same else tuple(positions(before.alphabet, model.alphabet))
    return Teacher(before.recogniser, before.pruning, arrays, classes)


def _float_model(earlier: Earlier, number: int, model: Model) -> tuple[Model, Arrays]:
    state = earlier(number)
    if state.floating is None:
        raise SettingError(f"run {number} has not come to the end of its float rounds; resume it, or name another run")
    if state.model is None:
        raise SettingError(f"run {number} was made by a version that did not note its alphabet; train it anew")
    try:
        positions(state.model.alphabet, model.alphabet)
    except SettingError as error:
        raise SettingError(f"run {number} has another alphabet: {error}") from None
    if state.model.height != model.height:
        raise SettingError(f"run {number} reads pictures of another height")
    if state.model.inputs != model.inputs:
        raise SettingError(f"run {number} sees {state.model.inputs or 'nothing'} beside the ink; set --inputs to that")
    return state.model, state.floating
