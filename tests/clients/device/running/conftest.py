"""A stock `flower-superlink` over TLS with a run that the test itself serves, and devices in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from handfed.clients.device import credentials, keys, status
from handfed.clients.device.credentials import Enrolment
from handfed.server.authority.certificates import Credential, make_authority, make_server_certificate
from handfed.simulations.real import free_port

HERE = Path(__file__).parent
PATIENCE_S = 120.0  # a process that starts takes a busy machine a minute
TOML = b"""[project]
name = "tests"
version = "1.0.0"
description = "A run that the test serves"
license = "Apache-2.0"
dependencies = ["flwr>=1.41"]
[tool.flwr.app]
publisher = "handfed"
[tool.flwr.app.components]
serverapp = "nowhere:server"
clientapp = "nowhere:client"
"""
QUIET = {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
os.environ.update(QUIET)


def until(done: Callable[[], Any], what: Callable[[], str] = str, timeout_s: float = PATIENCE_S) -> Any:
    """Waits for a true answer."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come to pass: {what()}")


def number(reply: Any, name: str) -> int:
    """A number of a reply, which must be without an error."""
    assert not reply.has_error(), reply.error
    return int(reply.content.metric_records["metrics"][name])


class SuperLink:
    """The server's process, and a run whose ServerApp is whoever calls `ask`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.ca = make_authority("Tests", now=datetime.now(UTC))
        server = make_server_certificate(self.ca, ["127.0.0.1"], now=datetime.now(UTC))
        for name, content in (
            ("ca.pem", self.ca.certificate),
            ("server.pem", server.certificate),
            ("server.key", server.key),
            ("secret", secrets.token_hex(32).encode()),
        ):
            (folder / name).write_bytes(content)
        self.process: subprocess.Popen[bytes] | None = None
        self.grid: Any = None
        self.over = threading.Event()  # the run that is served

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        folder = self.folder
        words = ["--ssl-ca-certfile", folder / "ca.pem", "--ssl-certfile", folder / "server.pem"]
        words += ["--ssl-keyfile", folder / "server.key", "--host", "127.0.0.1", "--port", self.port]
        words += ["--enable-supernode-auth", "--isolation", "process", "--database", folder / "link.sqlite"]
        words += ["--disable-runtime-dependency-installation", "--superexec-auth-secret-file", folder / "secret"]
        command = [Path(sys.executable).parent / "flower-superlink", *words]
        log = (folder / "superlink.log").open("ab")
        environment = {**os.environ, "FLWR_HOME": str(folder / "flwr")}
        self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, env=environment)
        log.close()
        until(self._answers, lambda: (folder / "superlink.log").read_text()[-2000:])

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self.control.close()
        self.over.set()
        if self.grid is not None:
            self.grid.close()

    def _answers(self) -> bool:
        """Whether it answers, whatever it says; it listens before it does."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "superlink.log").read_text()[-2000:]
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        with suppress(httpx.TransportError):
            httpx.get(f"https://{self.address}/", verify=context, trust_env=False, timeout=5)
            return True
        return False

    def register(self, public_key: bytes) -> int:
        from flwr.proto.control_pb2 import RegisterNodeRequest

        return int(self.control.RegisterNode(RegisterNodeRequest(public_key=public_key)).node_id)

    def revoke(self, node_id: int) -> None:
        from flwr.proto.control_pb2 import UnregisterNodeRequest

        self.control.UnregisterNode(UnregisterNodeRequest(node_id=node_id))

    def state_of(self, node_id: int) -> str:
        from flwr.proto.control_pb2 import ListNodesRequest

        nodes = self.control.ListNodes(ListNodesRequest()).nodes_info
        return str(next(node.status for node in nodes if node.node_id == node_id))

    @cached_property
    def control(self) -> Any:
        from flwr.supercore.control import ControlHttpClient

        return ControlHttpClient.from_server_address(
            self.address, insecure=False, root_certificates=self.ca.certificate, interceptors=[]
        )

    def serve_run(self) -> None:
        """Starts a run, and takes the part of its ServerApp."""
        from flwr.cli.build import build_fab_from_files
        from flwr.common.serde import run_from_proto
        from flwr.proto.control_pb2 import StartRunRequest
        from flwr.proto.fab_pb2 import Fab
        from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest, SendTaskHeartbeatRequest
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
        from flwr.supercore.runtime import RuntimeHttpClient
        from flwr.supercore.task_identity import TaskIdentity
        from flwr.superlink.grid import HttpGrid

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a name that Flower takes from pathspec
            fab = build_fab_from_files({"pyproject.toml": TOML})[0]
        self.control.StartRun(StartRunRequest(fab=Fab(hash_str=hashlib.sha256(fab).hexdigest(), content=fab)))
        with RuntimeHttpClient.from_server_address(
            self.address,
            insecure=False,
            root_certificates=self.ca.certificate,
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="flwr-serverapp"),
                SuperExecAuthHttpInterceptor(
                    master_secret=(self.folder / "secret").read_bytes(),
                    protected_methods={"/flwr.proto.Runtime/AcquireTask"},
                ),
            ],
        ) as executor:
            token = until(
                lambda: executor.AcquireTask(AcquireTaskRequest(supported_task_types={"flwr-serverapp"})).token, str
            )
        self.grid = HttpGrid(self.address, root_certificates=self.ca.certificate, token=token)
        given = self.grid._runtime_client.PullTaskInput(PullTaskInputRequest())
        run = run_from_proto(given.run)
        self.grid.set_run(run)
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = given.task_id, run.run_id, 1

        over, client = threading.Event(), self.grid._runtime_client

        def beat() -> None:
            while not over.wait(10):
                with suppress(Exception):
                    client.SendTaskHeartbeat(SendTaskHeartbeatRequest())

        threading.Thread(target=beat, daemon=True).start()
        self.over = over

    def stop_run(self) -> None:
        from flwr.proto.control_pb2 import StopRunRequest

        self.control.StopRun(StopRunRequest(run_id=self.grid.run.run_id))
        self.over.set()
        self.grid.close()

    def ask(self, node_id: int, do: str = "add", *, ttl_s: float = 120.0, **more: float) -> str:
        """Sends a message for training; its id."""
        from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

        arrays = ArrayRecord({"weights": Array(np.arange(1000, dtype=np.float32))})
        content = RecordDict({"arrays": arrays, "config": ConfigRecord({"do": do, **more})})
        return self.send(node_id, "train", content, ttl_s=ttl_s)

    def send(self, node_id: int, kind: str, content: Any, *, ttl_s: float = 120.0) -> str:
        """Sends a message; its id."""
        from flwr.app import Message

        (identity,) = self.grid.push_messages([Message(content, node_id, kind, ttl=ttl_s)])
        return str(identity)

    def answer(self, identity: str, timeout_s: float = PATIENCE_S) -> Any:
        """The reply to a message."""
        return until(lambda: list(self.grid.pull_messages([identity])), lambda: identity, timeout_s)[0]

    def pid(self, identity: str) -> int:
        """The process that answered a message, which must be without an error."""
        return number(self.answer(identity), "pid")

    def failure(self, identity: str) -> str:
        """Why a message was not answered."""
        return str(self.answer(identity).error.reason)


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    server = SuperLink(tmp_path_factory.mktemp("superlink"))
    try:
        server.start()
        server.serve_run()
        yield server
    finally:
        server.close()


@dataclass
class Device:
    """A device's folder and process."""

    folder: Path
    node_id: int
    log: Path
    options: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, environment: dict[str, str] | None = None, **options: Any) -> None:
        options = {**self.options, **options, "folder": str(self.folder)}
        known = {**os.environ, **(environment or {})}
        known = {**known, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "start_device.py"), json.dumps(options)],
                stdout=log if "file_bytes" not in options else subprocess.DEVNULL,
                stderr=log if "file_bytes" not in options else subprocess.PIPE,
                env=known,
            )

    def begin(self, environment: dict[str, str] | None = None, **options: Any) -> None:
        """Starts it, and waits until it waits."""
        self.start(environment, **options)
        self.wait_for("waiting")

    def until(self, done: Callable[[], Any]) -> None:
        """Waits for something that this device does."""
        until(done, lambda: f"{self.said()}\n{self.text()}")

    def until_gone(self, process: int) -> None:
        """Waits for the end of a process; not for its parent to notice."""
        self.until(lambda: not Path(f"/proc/{process}").exists())

    def said(self) -> dict[str, Any]:
        return status.read(self.folder) or {}

    def wait_for(self, state: str) -> None:
        self.until(lambda: self._runs() and self.said().get("state") == state)

    def _runs(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.text()
        return True

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Waits for its end, for its exit status."""
        assert self.process is not None
        return self.process.wait(PATIENCE_S)


MakeDevice = Callable[..., Device]


@pytest.fixture
def make_device(superlink: SuperLink, tmp_path: Path) -> Iterator[MakeDevice]:
    made: list[Device] = []

    def make(*, port: int | None = None, registered: bool = True) -> Device:
        folder = tmp_path / f"device{len(made)}"
        folder.mkdir(mode=0o700)
        key = keys.make_key()
        enrol(folder, key, superlink.ca, port or superlink.port)
        node_id = superlink.register(keys.public_key_of(key).encode()) if registered else 0
        made.append(Device(folder, node_id, tmp_path / f"device{len(made)}.log"))
        made[-1].log.touch()
        return made[-1]

    yield make
    for device in made:
        if device.process is not None and device.process.poll() is None:
            device.kill()
        if device.process is not None and device.process.stderr is not None:
            device.process.stderr.close()


def enrol(folder: Path, key: bytes, ca: Credential, port: int) -> None:
    enrolment = Enrolment(
        server=f"127.0.0.1:{port}",
        fingerprint=credentials.fingerprint_of(ca.certificate),
        device=1,
        name="reception",
        organisation="Clinic North",
        max_samples=None,
        enrolled_at="2026-01-01T00:00:00+00:00",
        key_since="2026-01-01T00:00:00+00:00",
    )
    with credentials.changing(folder):
        credentials.commit(folder, enrolment, key, ca.certificate)
