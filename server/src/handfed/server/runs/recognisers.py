"""`handfed recognisers`: the families of models that a run can train.

`handfed recognisers --json` prints `{"recognisers": [family, ...]}`, each with name, summary, source, parameters (for
the number of classes asked), int8 and limits.
"""

from __future__ import annotations

from typing import Annotated

import typer

from handfed.server import terminal
from handfed.server.terminal import AsJson
from handfed.shared.recognisers import FAMILIES


def recognisers(
    classes: Annotated[int, typer.Option(help="Classes to tell apart, for the size.", min=2, max=100_000)] = 10,
    as_json: AsJson = False,
) -> None:
    """List the recognisers: what each is, its size and its limits."""
    if as_json:
        terminal.print_json(
            {
                "recognisers": [
                    {
                        "name": name,
                        "summary": family.summary,
                        "source": family.source,
                        "parameters": family.parameters_for(classes),
                        "int8": family.int8,
                        "limits": family.limits,
                    }
                    for name, family in FAMILIES.items()
                ]
            }
        )
        return
    table = terminal.table("recogniser", "parameters", "what it is", "limits", right=("parameters",))
    for name, family in FAMILIES.items():
        table.add_row(name, f"{family.parameters_for(classes):,}", family.summary, family.limits)
    console = terminal.console()
    console.print(table)
    console.print(f"\nFor {classes:,} classes; the published file has about a byte for each parameter.", style="dim")
