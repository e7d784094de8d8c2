"""Options of a command, made from the table of run settings, so that no setting is written down twice."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from handfed.shared.run_settings import RunSettings

TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
PANEL = "Settings of the run"


def with_run_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each field of `RunSettings`; it takes them as keyword arguments.

    Bounds and choices are checked by `RunSettings` itself, so a message reads the same from any source.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
    settings = [_parameter(field) for field in dataclasses.fields(RunSettings)]
    command.__signature__ = signature.replace(parameters=[*own, *settings])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *settings]}
    return command


def _parameter(field: dataclasses.Field[Any]) -> inspect.Parameter:
    kind = TYPES[str(field.type)]
    choices = field.metadata["choices"]
    meaning = field.metadata["help"] + (f" One of: {', '.join(choices)}." if choices else "")
    option = typer.Option(help=meaning, rich_help_panel=PANEL)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[kind, option]
    )
