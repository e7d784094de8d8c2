"""A registry, the real web app that serves it over HTTP, and devices that believe what its root vouches for."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from tuf.ngclient import Updater

from handfed.server.api.app import create_app
from handfed.server.api.services import Services
from handfed.server.database import Database, open_database
from handfed.server.registry.files import registry_in
from handfed.server.registry.service import Registry
from handfed.server.settings import ServerSettings
from handfed.shared.registry import METADATA, TARGETS, Channel, Pin, channel_path, pin_path, release_path

if TYPE_CHECKING:
    from tests.server.conftest import ReleaseFiles


class MovingClock:
    """The real time, until it is moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **span: float) -> None:
        self.ahead += timedelta(**span)


class BeginningRegistry(Registry):
    """A registry that decides, too: the first release of a task is its champion."""

    def add_release(self, number: int, directory: Path, *, task: str, model_sha256: str | None = None) -> None:
        super().add_release(number, directory, task=task, model_sha256=model_sha256)
        if task not in self.channels() and number in self.releases():
            self.set_channel(Channel(task, number))


class Server:
    """The web app over a data directory, at a port of this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = ServerSettings.load(directory, address="server.example", environment={})
        self.database = open_database(self.settings.database)
        self.app = create_app(self.settings, Services.over(self.database))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self.app, access_log=False, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    @property
    def registry(self) -> Path:
        return registry_in(self.directory)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self.database.close()


class Device:
    """What a device does, in the reference client: it knows one root, and finds out the rest."""

    def __init__(self, url: str, root: bytes, folder: Path) -> None:
        self._url, self._root, self.folder = url, root, folder

    def updater(self) -> Updater:
        for name in ("metadata", "targets"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        first = not (self.folder / "metadata" / "root.json").exists()
        updater = Updater(
            str(self.folder / "metadata"),
            self._url + METADATA,
            str(self.folder / "targets"),
            self._url + TARGETS,
            bootstrap=self._root if first else None,
        )
        updater.refresh()
        return updater

    def fetch(self, path: str) -> bytes | None:
        updater = self.updater()
        info = updater.get_targetinfo(path)
        return None if info is None else Path(updater.download_target(info)).read_bytes()

    def channel(self, task: str = "digits") -> Channel | None:
        content = self.fetch(channel_path(task))
        return None if content is None else Channel.decode(content, where="here")

    def pin(self, fingerprint: str, task: str = "digits") -> int | None:
        content = self.fetch(pin_path(fingerprint, task))
        return None if content is None else Pin.decode(content, where="here").release

    def model(self, release: int) -> bytes | None:
        return self.fetch(release_path(release, "model.tflite"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The web app, which a module's tests share; the registry is each test's own."""
    made = Server(tmp_path_factory.mktemp("server"))
    yield made
    made.close()


@pytest.fixture
def database(server: Server) -> Database:
    return server.database


@pytest.fixture
def moving() -> MovingClock:
    return MovingClock()


@pytest.fixture
def new_registry(server: Server, moving: MovingClock) -> Callable[[], Registry]:
    """Makes a registry in the place of the one before."""

    def make() -> Registry:
        shutil.rmtree(server.registry, ignore_errors=True)
        registry = BeginningRegistry(server.registry, clock=moving)
        registry.ensure()
        return registry

    return make


@pytest.fixture
def registry(new_registry: Callable[[], Registry]) -> Registry:
    return new_registry()


@pytest.fixture
def new_device(server: Server, tmp_path: Path) -> Callable[..., Device]:
    """Makes a device that trusts a root: the newest one, or another."""
    made: list[Device] = []

    def make(root: bytes | None = None) -> Device:
        trusted = Registry(server.registry).root() if root is None else root
        made.append(Device(server.url, trusted, tmp_path / f"device{len(made)}-{id(made)}"))
        shutil.rmtree(made[-1].folder, ignore_errors=True)
        return made[-1]

    return make


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, release_files: ReleaseFiles) -> Callable[..., Path]:
    """The directory of a release, by its number and task; its files are read-only."""
    releases = tmp_path_factory.mktemp("releases")

    def make(number: int, task: str = "digits") -> Path:
        directory = releases / f"{number:04d}-{task}"
        if not directory.exists():
            directory.mkdir()
            for name, content in release_files(number, task).items():
                (directory / name).write_bytes(content)
                (directory / name).chmod(0o444)
        return directory

    return make
