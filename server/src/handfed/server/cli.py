"""`handfed serve`: the server of a federation.

Exit status: 0 it was told to end; 2 it cannot be started as it was asked to.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from handfed.server.terminal import DatabaseUrl, DataDir, assignments


def serve(
    address: Annotated[
        str | None,
        typer.Option(
            help="What devices call this server: HOST, or HOST:PORT. [what it was, or this machine's name]",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Where it listens. [what it was, or 8443]", min=1, max=65_535, show_default=False)
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address of this machine to listen at. [what it was, or all]", show_default=False),
    ] = None,
    promotion: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What releases are promoted by, such as stage_s=3600; may be repeated. [what it was]",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Run the server of a federation: devices join it, and train by it, over one TLS port."""
    from handfed.server.settings import ServerSettings
    from handfed.server.supervisor import supervised
    from handfed.shared.data_directory import RUNNING
    from handfed.shared.files import held, make_private

    settings = ServerSettings.load(
        data_dir, database, address=address, port=port, host=host, promotion=assignments(promotion or [])
    )
    make_private(settings.data_dir)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    # Two servers in one data directory would end each other's runs.
    with held(settings.data_dir / RUNNING, what=f"the data directory {settings.data_dir}"):
        raise typer.Exit(supervised("handfed.server.serving", settings.model_dump_json().encode()))
