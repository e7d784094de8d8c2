"""Flower's SuperLink within the server's own process: what moves messages between a run and its devices.

This module and `door`, `grid` and `run_process` are all that touch what Flower keeps to itself (its version is pinned).

Rules:
1. Of Flower's HTTP interfaces devices reach the Fleet API alone, where each request is signed by a registered key. Its
   Control API asks nobody who they are, and runs code that it is sent; here its handlers are called in process, and
   it has no address.
2. Flower's own run is a means: the record of runs says what goes on. When a run's process dies, Flower's run is ended
   and another is begun for the same recorded run, which goes on from its checkpoint. So nothing is taken from a
   message of the process that died, and nothing is counted twice.
3. No code travels: Flower's app bundle names a project and nothing else, and neither side installs it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Before Flower is imported: it tells nobody that it runs.
os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}

from fastapi import FastAPI
from flwr.cli.build import build_fab_from_files
from flwr.common.constant import NOOP_ACCOUNT_NAME, NOOP_FLWR_AID, Status
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest, UnregisterNodeRequest
from flwr.proto.fab_pb2 import Fab
from flwr.supercore.auth.typing import AccountInfo
from flwr.supercore.error import FlowerError
from flwr.superlink.cli.flower_superlink import SuperLinkLifespan
from flwr.superlink.config_loader import SuperLinkLifespanConfig, load_control_authn_plugin
from flwr.superlink.main import create_app
from flwr.superlink.servicer.control import control_handlers
from sqlalchemy.exc import SQLAlchemyError

from handfed.server.devices.registry import RegistryError

_SERVER: Final = AccountInfo(flwr_aid=NOOP_FLWR_AID, account_name=NOOP_ACCOUNT_NAME)
_REGISTERED: Final = ("registered", "online", "offline")  # every state of a node but the end
_PROJECT: Final = b"""[project]
name = "handfed"
version = "1.0.0"
description = "Neither side installs this: both have Handfed."
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "handfed"

[tool.flwr.app.components]
serverapp = "handfed.server.flower.app:create_app"
clientapp = "handfed.clients.trainer.app:create_app"

[tool.flwr.app.config]
"""


@dataclass(frozen=True)
class Ticket:
    """What a run's process needs to take part in Flower's run.

    Attributes:
        run: Flower's number of its run.
        token: Opens Flower's Runtime API, for that run alone.
    """

    run: int
    token: str


@contextmanager
def _flower() -> Iterator[None]:
    """What goes wrong within Flower is a `RegistryError`."""
    try:
        yield
    except (FlowerError, SQLAlchemyError) as error:
        raise RegistryError(f"Flower's SuperLink did not do as it was asked: {error}") from error


class Link:
    """Flower's SuperLink. What it cannot do raises a `RegistryError`.

    Attributes:
        app: Its ASGI app; `handfed.server.flower.door` decides who may ask it what.

    Args:
        state_file: Its SQLite file, which is made where there is none.
    """

    def __init__(self, state_file: Path) -> None:
        self.app: FastAPI = create_app(_config(state_file), SuperLinkLifespan)
        self._state: Any = self.app.state.linkstate_factory.state()
        self._bundle = build_fab_from_files({"pyproject.toml": _PROJECT})[0]
        self.revoked: Callable[[int], None] = lambda _node: None
        self.begun: Callable[[], None] = lambda: None

    def lifespan(self) -> AbstractAsyncContextManager[Any]:
        """What Flower does while it serves."""
        context: AbstractAsyncContextManager[Any] = self.app.router.lifespan_context(self.app)
        return context

    @_flower()
    def register(self, public_key: str) -> int:
        """As `KeyRegistry` says."""
        known = self.find(public_key)
        if known is not None:
            return known
        request = RegisterNodeRequest(public_key=public_key.encode())
        return int(control_handlers.register_node(request, _SERVER, self._state).node_id)

    @_flower()
    def find(self, public_key: str) -> int | None:
        """As `KeyRegistry` says."""
        node: int | None = self._state.get_node_id_by_public_key(public_key.encode())
        return node

    @_flower()
    def unregister(self, node_id: int) -> None:
        """As `KeyRegistry` says; a device that waits for messages is told at once."""
        if self._state.get_node_info(node_ids=[node_id], statuses=list(_REGISTERED)):
            control_handlers.unregister_node(UnregisterNodeRequest(node_id=node_id), _SERVER, self._state)
            self.revoked(node_id)

    @_flower()
    def begin(self) -> Ticket:
        """Begins a run of Flower's, for one process of ours."""
        bundle = Fab(hash_str=hashlib.sha256(self._bundle).hexdigest(), content=self._bundle)
        started = control_handlers.start_run(StartRunRequest(fab=bundle), _SERVER, self._state, None)
        run = int(started.run_id)
        task = next((task.task_id for task in self._state.get_tasks(statuses=["pending"]) if task.run_id == run), None)
        token = None if task is None else self._state.claim_task(task)
        if token is None:
            raise RegistryError(f"Flower's run {run} cannot be begun: it has no task to take up")
        self.begun()
        return Ticket(run, token)

    @_flower()
    def end(self, run: int) -> None:
        """Ends a run of Flower's, if it goes on, and drops what was on its way."""
        found = self._state.get_run_info(run_ids=[run])
        if found and found[0].status.status != Status.FINISHED:
            self._state.stop_run(run)
        self._state.cleanup_run(run)

    @_flower()
    def end_all(self) -> None:
        """Ends what an earlier process of this server has begun."""
        for run in self._state.get_run_info():
            if run.status.status != Status.FINISHED:
                self.end(run.run_id)


def _config(state_file: Path) -> SuperLinkLifespanConfig:
    """A SuperLink that starts no process and listens nowhere by itself."""
    return SuperLinkLifespanConfig(
        control_address="",
        health_server_address=None,
        host="127.0.0.1",
        port=0,
        insecure=False,
        certificates=None,
        superexec_auth_secret=os.urandom(32),
        authn_plugin=load_control_authn_plugin(),
        event_log_plugin=None,
        fleet_event_log_plugin=None,
        enable_event_log=False,
        artifact_provider=None,
        enable_supernode_auth=True,
        fleet_api_type="grpc-rere",
        fleet_api_address=None,
        simulation=False,
        ssl_ca_certfile=None,
        ssl_certfile=None,
        ssl_keyfile=None,
        database=str(state_file),
        isolation="process",
        runtime_dependency_install=False,
    )
