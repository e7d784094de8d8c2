"""The process of one run: TensorFlow is loaded here, and goes when the run is over.

    python -m handfed.server.flower.run_process SERVER RUN DATA_DIR HOST:PORT

The database's URL and the token come on standard input, a line each, as others may see arguments. The run's settings
and where it stands are on record; what comes of it goes there, too. It ends with the process whose number is SERVER.

Flower gives up a process that it does not hear of for half a minute, and a busy machine takes that long to load
TensorFlow. So the process joins first, and is heard of while it loads.

Exit status: 0 the run is over, well or not, and the record says so; anything else, and it can go on from its record.
"""

from __future__ import annotations

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flwr.app import Context, RecordDict
from flwr.common.serde import run_from_proto
from flwr.proto.runtime_pb2 import PullTaskInputRequest
from flwr.supercore.app_utils import start_parent_process_monitor
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.task_identity import TaskIdentity

from handfed.server.database import Database, open_database
from handfed.server.devices.service import caps_of
from handfed.server.flower.earlier import on_record
from handfed.server.flower.grid import PromptGrid
from handfed.server.flower.state import RunState
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.control import LICENCE
from handfed.server.runs.recorder import Recorder, once_writable
from handfed.server.runs.schemas import RecordedRun
from handfed.server.runs.service import RunRecord
from handfed.shared import data_directory
from handfed.shared.errors import HandfedError
from handfed.shared.parent import die_with

if TYPE_CHECKING:
    from handfed.server.flower.course import Course

_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    """Brings a run to its end."""
    server = int(arguments[0])
    die_with(server)  # told, since it may have ended while this was loaded
    start_parent_process_monitor(server)  # on other systems; it cannot end a process whose heartbeat finds nobody
    logging.basicConfig(level=logging.INFO, format="%(asctime)s run: %(message)s")
    for talkative in ("flwr", "httpx"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    number, directory, address = int(arguments[1]), Path(arguments[2]), arguments[3]
    url, token = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    with open_database(url) as database:
        runs = RunRecord(database)
        grid = PromptGrid(address, token=token)
        heartbeat = _joined(grid)
        try:
            _go(runs.get(number), database, runs, grid, directory)
        except HandfedError as error:
            _log.error("run %d cannot go on: %s", number, error)
            once_writable(partial(runs.fail, number, str(error)))
        finally:
            heartbeat.stop()
            grid.close()


def _joined(grid: PromptGrid) -> HeartbeatSender:
    """Has Flower know that this process has its run, and keeps it so."""
    client = grid._runtime_client  # noqa: SLF001 - Flower's own process does the same
    heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
    heartbeat.start()
    task = client.PullTaskInput(PullTaskInputRequest())
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = (
        task.task_id,
        task.run.run_id,
        task.context.node_id,
    )
    grid.set_run(run_from_proto(task.run))
    return heartbeat


def _go(run: RecordedRun, database: Database, runs: RunRecord, grid: PromptGrid, directory: Path) -> None:
    from handfed.server.flower.app import create_app
    from handfed.server.releases.publish import Origin, Publisher

    config = dict(run.settings)
    origin = Origin(run.id, run.task, str(config["kind"]), str(config.pop(LICENCE)), "writer")
    releases = data_directory.releases_in(directory)
    publisher = Publisher(ReleaseRecord(database), releases, origin, partial(runs.writers, run.id))

    def publish(course: Course, state: RunState) -> None:
        publisher(course, state)
        once_writable(lambda: runs.finish(run.id, publisher.published().summary()))

    kept = runs.checkpoint(run.id)
    state = None if kept is None else RunState.from_bytes(kept)
    app = create_app(publish, [Recorder(runs, run.id)], state, on_record(runs), caps_of(database), number=run.id)
    app(grid, Context(run.id, 0, {}, RecordDict(), config))


if __name__ == "__main__":
    main(sys.argv[1:])
