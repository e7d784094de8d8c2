"""`handfed edge serve` and `handfed edge watch`: reading for other programs of a device (docs/edge-service.md).

Both run until SIGTERM or Ctrl+C. Exit status: 0 stopped, or with `--once` all is read; 2 wrong use (the port is taken,
another one is at the folder, there is no release), or with `--once` a picture could not be read; 1 anything else.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from handfed.clients.edge.cli import DataDir
from handfed.clients.edge.update_cli import Folder as DeviceFolder
from handfed.shared import data_directory

if TYPE_CHECKING:
    from handfed.clients.edge.serving.folder import Folder, Look
    from handfed.clients.edge.serving.service import Service

Release = Annotated[
    str | None,
    typer.Option(
        help="Number of a release, its directory, or a .tflite file. Default: the newest, also as newer ones come; or"
        " else what handfed edge pull brought.",
        show_default=False,
    ),
]
PORT: Final = 8765
_ENDING_S: Final = 5.0
_TEND_S: Final = 60.0
_GLANCE_S: Final = 0.25
_LEAST_TOKEN: Final = 16
_MOST_TOKEN: Final = 4096


def serve(
    *,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for a free one.", min=0, max=65535)] = PORT,
    release: Release = None,
    data_dir: DataDir = None,
    threads: Annotated[int, typer.Option(help="Pictures that are read at once.", min=1, max=64)] = 2,
    waiting: Annotated[int, typer.Option(help="Pictures that wait for their turn; more are refused.", min=0)] = 16,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="A file whose content clients must know; for devices where several people log in.", show_default=False
        ),
    ] = None,
    data: DeviceFolder = None,
) -> None:
    """Read pictures that other programs of this device send over HTTP."""
    token = None if token_file is None else _token(token_file)
    from contextlib import closing

    from handfed.clients.device import folder
    from handfed.clients.device.store.cli import user
    from handfed.clients.edge.feedback import Desk
    from handfed.clients.edge.serving import log, pages
    from handfed.clients.edge.serving.lanes import Lanes
    from handfed.clients.edge.serving.service import Service
    from handfed.clients.edge.serving.supply import Source, Supply

    source = Source.chosen(release, data_directory.locate(data_dir), device=data)
    lanes = Lanes([Supply(source) for _ in range(threads)], waiting=waiting)
    stop, served = _stopped(), pages.routes()
    with (
        closing(Desk(folder.locate(data), by=user())) as desk,
        Service(lanes, port=port, token=token, desk=desk, pages=served) as service,
    ):
        log.start()
        typer.echo(f"reading pictures on http://127.0.0.1:{service.port}/recognise")
        for page in sorted(path for path in served if path.count("/") > 1 and path.endswith("/")):
            typer.echo(f"a page to try it: http://127.0.0.1:{service.port}{page}")
        _serve(service, stop)


def _serve(service: Service, stop: threading.Event) -> None:
    """Answers until it is to stop."""
    import logging

    work = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.1}, name="accept", daemon=True)
    work.start()
    due_s = time.monotonic() + _TEND_S
    while not stop.wait(_GLANCE_S):  # a signal that another thread gets does not wake this one
        if time.monotonic() >= due_s:
            _tend(service)
            due_s = time.monotonic() + _TEND_S
    service.stop(_ENDING_S)
    figures = service.figures()
    logging.getLogger(__name__).info(
        "stopped; answers by status: %s; median of readings: %s ms", figures["answers"], figures["reading_ms_median"]
    )


def _tend(service: Service) -> None:
    """Has feedback swept that was kept as long as it may be."""
    import logging

    from handfed.shared.errors import StorageError

    try:
        if service.desk is not None:
            service.desk.tend()
    except StorageError as error:
        logging.getLogger(__name__).warning("the store cannot be looked at now: %s", error)


def watch(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder, such as a scanner's.")],
    *,
    release: Release = None,
    data_dir: DataDir = None,
    alternatives: Annotated[int, typer.Option(help="How many other readings to name.", min=0)] = 3,
    boxes: Annotated[bool, typer.Option("--boxes", help="Find all characters of each picture, and read each.")] = False,
    recursive: Annotated[bool, typer.Option("--recursive", help="Read in folders within it, too.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Read what is there, and end.")] = False,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks; a picture that is the same in both is read.", min=0.05)
    ] = 2.0,
) -> None:
    """Read every picture that appears in a folder, and write a .json and a .txt beside it."""
    from handfed.clients.edge.answers import Question
    from handfed.clients.edge.serving import log
    from handfed.clients.edge.serving.folder import LOCK, Folder
    from handfed.clients.edge.serving.supply import Source, Supply
    from handfed.shared.errors import SettingError
    from handfed.shared.files import held

    if not directory.is_dir():
        raise SettingError(f"{directory}: there is no such folder; make it, or name another")
    supply, question = (
        Supply(Source.chosen(release, data_directory.locate(data_dir))),
        Question(alternatives, boxes),
    )
    question.check(supply())
    stop = _stopped()
    with held(directory / LOCK, what=f"the pictures in {directory}"):
        folder = Folder(directory, supply, question, recursive=recursive)
        if once:
            _look_once(folder, stop, interval)
        else:
            log.start()
            typer.echo(f"reading pictures in {directory}")
            _watch(folder, stop, interval)


def _look_once(folder: Folder, stop: threading.Event, interval: float) -> None:
    from handfed.shared.errors import ImageError

    folder.look()
    stop.wait(interval)
    found = folder.look(stop.is_set)
    typer.echo(_told(found) + (f", {found.waiting} not yet written to their end" if found.waiting else ""))
    if found.failed:
        raise typer.Exit(ImageError.exit_status)


def _watch(folder: Folder, stop: threading.Event, interval: float) -> None:
    """Looks again and again; a folder that is away for a while, as on a network, is looked for again."""
    import logging

    from handfed.shared.errors import StorageError

    log, is_there = logging.getLogger(__name__), True
    while not stop.is_set():
        try:
            found = folder.look(stop.is_set)
        except StorageError:
            if is_there:
                log.warning("the folder cannot be read now; it is tried again")
            is_there = False
        else:
            is_there = True
            if found.read or found.failed:
                log.info(_told(found))
        stop.wait(interval)


def _told(found: Look) -> str:
    return f"{found.read} read, {found.failed} cannot be read"


def _stopped() -> threading.Event:
    """Is set by SIGTERM and by Ctrl+C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _token(path: Path) -> str:
    """The token in a file.

    Raises:
        SettingError: There is none that would do, or everybody may read it.
    """
    from handfed.shared.errors import SettingError

    try:
        with path.open("rb") as file:
            open_to_all = path.stat().st_mode & 0o007
            token = file.read(_MOST_TOKEN + 1).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingError(f"{path}: cannot be read as a token; write one with: openssl rand -hex 32") from error
    if open_to_all:
        raise SettingError(f"{path}: everybody may read this token; chmod o= {path}")
    if not _LEAST_TOKEN <= len(token) <= _MOST_TOKEN or not token.isprintable() or " " in token:
        raise SettingError(
            f"{path}: a token has {_LEAST_TOKEN} to {_MOST_TOKEN} characters without spaces; openssl rand -hex 32"
        )
    return token
