"""Options of a command, made from tables of settings, so that no setting is written down twice."""

from __future__ import annotations

import dataclasses
import inspect
import re
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from click.core import ParameterSource

from handfed.shared.run_settings import RunSettings
from handfed.simulations.faults import Faults
from handfed.simulations.scenario import TYPES

Command = Callable[..., None]

PANELS: Final[dict[type[Any], str]] = {RunSettings: "Settings of the run", Faults: "Faults on purpose"}

_PASSWORD: Final = re.compile(r"(://[^/@\s:]*:)[^/@\s]*@")


def with_settings(*tables: type[Any]) -> Callable[[Command], Command]:
    """Gives a command an option for each field of these dataclasses; it takes them as keyword arguments.

    Bounds and choices are checked by the dataclass itself, so a message reads the same from any source.

    Args:
        tables: Keys of `PANELS`; their fields' metadata hold `help` and `choices`.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
        settings = [_parameter(field, PANELS[table]) for table in tables for field in dataclasses.fields(table)]
        command.__signature__ = signature.replace(parameters=[*own, *settings])  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *settings]}
        return command

    return decorate


def typed(context: typer.Context) -> dict[str, Any]:
    """The options that the command line really gives, by name: a default that was left alone is none of them."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: context.params[name] for name, source in sources.items() if source is not ParameterSource.DEFAULT}


def command_line() -> str:
    """What was typed, but for passwords within addresses: it stands on pages, which are passed on."""
    return _PASSWORD.sub(r"\1***@", f"handfed {shlex.join(sys.argv[1:])}")


def _parameter(field: dataclasses.Field[Any], panel: str) -> inspect.Parameter:
    kind = TYPES[str(field.type)]
    choices = field.metadata["choices"]
    meaning = field.metadata["help"] + (f" One of: {', '.join(choices)}." if choices else "")
    option = typer.Option(help=meaning, rich_help_panel=panel)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=Annotated[kind, option]
    )
