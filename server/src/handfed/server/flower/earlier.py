"""What a run takes over from an earlier one: the arrays it starts from, and the teacher it learns from.

Both are the float model of a run that has come to the end of its float rounds, of the same alphabet and inputs. The
arrays to start from are of the same family, and may have more channels: those that matter least are left out. A teacher
is of any family that reads the same kind of samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from handfed.server.flower.state import Arrays, Model, RunState
from handfed.server.runs.service import RunRecord
from handfed.shared.errors import SettingError
from handfed.shared.local_training import Teacher
from handfed.shared.recognisers import family
from handfed.shared.run_settings import RunSettings

if TYPE_CHECKING:
    from handfed.shared.tf.training import Trainer

Earlier = Callable[[int], RunState]  # where a run stood in the end, by its number


def on_record(runs: RunRecord) -> Earlier:
    """The runs of a record; what is given raises `UnknownRunError`, and `SettingError` for a run without a round."""

    def state_of(number: int) -> RunState:
        runs.get(number)  # a run that is not there says so
        checkpoint = runs.checkpoint(number)
        if checkpoint is None:
            raise SettingError(f"run {number} has not ended a round; name a run that has a model")
        return RunState.from_bytes(checkpoint)

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


def start(earlier: Earlier, number: int, model: Model, trainer: Trainer) -> Arrays:
    """The arrays that a run starts from.

    Args:
        earlier: Runs that were before.
        number: The one to start from.
        model: What is trained.
        trainer: Its trainer.

    Raises:
        SettingError: That run has no float model, or one of another alphabet, height or family, or with fewer channels.
    """
    before, arrays = _to_start_from(earlier, number, model)
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
    return before, arrays


def teacher(earlier: Earlier, number: int, model: Model) -> Teacher:
    """The teacher that a run learns from.

    Args:
        earlier: Runs that were before.
        number: The one whose model teaches.
        model: What is trained.

    Raises:
        SettingError: That run has no float model, or one of another alphabet, height, or kind of samples.
    """
    before, arrays = _float_model(earlier, number, model)
    columns = family(model.recogniser).columns
    if family(before.recogniser).columns != columns:
        raise SettingError(
            f"recogniser {before.recogniser} of run {number} cannot teach {model.recogniser}: they do not say the same"
            " things of the same parts of a picture"
        )
    return Teacher(before.recogniser, before.pruning, arrays)


def _float_model(earlier: Earlier, number: int, model: Model) -> tuple[Model, Arrays]:
    state = earlier(number)
    if state.floating is None:
        raise SettingError(f"run {number} has not come to the end of its float rounds; resume it, or name another run")
    if state.model is None:
        raise SettingError(f"run {number} was made by a version that did not note its alphabet; train it anew")
    if state.model.alphabet != model.alphabet:
        raise SettingError(f"run {number} has another alphabet; name a run with the same classes in the same order")
    if state.model.height != model.height:
        raise SettingError(f"run {number} reads pictures of another height")
    if state.model.inputs != model.inputs:
        raise SettingError(f"run {number} sees {state.model.inputs or 'nothing'} beside the ink; set --inputs to that")
    return state.model, state.floating
