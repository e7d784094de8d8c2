"""A registry made with python-tuf, served over real HTTPS by a server that can misbehave, and a device that pulls."""

from __future__ import annotations

import copy
import select
import shutil
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from handfed.clients.edge.fetcher import Limits
from handfed.clients.edge.source import Source
from handfed.clients.edge.store import Store
from handfed.clients.edge.updater import Pulled, PullSettings, pull
from handfed.server.authority.certificates import Credential, make_authority, make_server_certificate
from handfed.shared.address import Address
from handfed.shared.files import sha256_of
from handfed.shared.manifest import MANIFEST, MODEL, MODEL_CARD, File, Manifest, read_release
from handfed.shared.registry import (
    CHANNELS_ROLE,
    DELEGATED,
    METADATA,
    TARGETS,
    Channel,
    channel_path,
    release_path,
)

ROOT = Path(__file__).resolve().parents[4]
TASK = "digits"
ROLES = ("root", "timestamp", "snapshot", "targets")
LIMITS = Limits(silence_s=15, head_s=15, window_s=15, least_bytes_per_s=100, attempts=3, pause_s=0.01)
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
KEYS = {role: [CryptoSigner.generate_ed25519() for _ in range(2)] for role in (*ROLES, CHANNELS_ROLE)}
Files = dict[str, bytes]


class Registry:
    """A TUF repository in memory: `files` is what is published, by URL path."""

    def __init__(self, keys: dict[str, list[CryptoSigner]] = KEYS, *, threshold: int = 1) -> None:
        self.keys = {role: list(signers) for role, signers in keys.items()}
        self.expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
        self.root = Root(consistent_snapshot=True, expires=self.expires)
        self.timestamp, self.snapshot = Timestamp(expires=self.expires), Snapshot(expires=self.expires)
        self.targets, self.channels = Targets(expires=self.expires), Targets(expires=self.expires)
        for role in ROLES:
            for signer in self.keys[role]:
                self.root.add_key(signer.public_key, role)
            self.root.roles[role].threshold = threshold
        keyids = [signer.public_key.keyid for signer in self.keys[CHANNELS_ROLE]]
        delegated = DelegatedRole(CHANNELS_ROLE, keyids, threshold, terminating=True, paths=list(DELEGATED))
        self.targets.delegations = Delegations(
            {signer.public_key.keyid: signer.public_key for signer in self.keys[CHANNELS_ROLE]},
            {CHANNELS_ROLE: delegated},
        )
        self.snapshot.meta["channels.json"] = MetaFile(1)
        self.files: Files = {}
        self.publish_root()

    def copied(self) -> Registry:
        """One that starts from here and leaves this one as it is; keys are not copied."""
        other = copy.copy(self)
        for name in ("root", "timestamp", "snapshot", "targets", "channels"):
            setattr(other, name, copy.deepcopy(getattr(self, name)))
        other.files = dict(self.files)
        other.keys = {role: list(signers) for role, signers in self.keys.items()}
        return other

    @property
    def first_root(self) -> bytes:
        return self.files[f"{METADATA}1.root.json"]

    def sign(self, role: str, signed: Any, *, by: list[CryptoSigner] | None = None) -> bytes:
        metadata = Metadata(signed)
        for signer in self.keys[role] if by is None else by:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def publish_root(self, *, by: list[CryptoSigner] | None = None) -> None:
        self.files[f"{METADATA}{self.root.version}.root.json"] = self.sign("root", self.root, by=by)

    def publish(self, *, hashed: bool = False) -> None:
        """A new version of everything but the root; with hashes of the metadata, where that is asked for."""
        for role, signed in (("targets", self.targets), (CHANNELS_ROLE, self.channels)):
            content = self.sign(role, signed)
            self.files[f"{METADATA}{signed.version}.{role}.json"] = content
            hashes = {"sha256": sha256_of(content)} if hashed else None
            self.snapshot.meta[f"{role}.json"] = MetaFile(signed.version, len(content) if hashed else None, hashes)
        content = self.sign("snapshot", self.snapshot)
        self.files[f"{METADATA}{self.snapshot.version}.snapshot.json"] = content
        hashes = {"sha256": sha256_of(content)} if hashed else None
        self.timestamp.snapshot_meta = MetaFile(self.snapshot.version, len(content) if hashed else None, hashes)
        self.files[f"{METADATA}timestamp.json"] = self.sign("timestamp", self.timestamp)

    def step(self) -> None:
        """Counts every role on, so that the next `publish` is newer."""
        for signed in (self.targets, self.channels, self.snapshot, self.timestamp):
            signed.version += 1

    def rotate(self, role: str) -> None:
        """Other keys for a role, in a new root that old and new keys of the root sign."""
        old_root_keys = list(self.keys["root"])
        for signer in self.keys[role]:
            self.root.revoke_key(signer.public_key.keyid, role)
        self.keys[role] = [CryptoSigner.generate_ed25519() for _ in range(2)]
        for signer in self.keys[role]:
            self.root.add_key(signer.public_key, role)
        self.root.version += 1
        by = [*old_root_keys, *self.keys["root"]] if role == "root" else old_root_keys
        self.publish_root(by=by)

    def put(self, path: str, content: bytes, *, into: Targets | None = None) -> None:
        """Names a target, and puts its content where devices look for it."""
        target = TargetFile.from_data(path, content, ["sha256"])
        (into or self.targets).targets[path] = target
        self.files[target_url(path, content)] = content

    def put_release(self, number: int, manifest: Manifest, model: bytes, *, card: bytes = b"# A release\n") -> None:
        self.put(release_path(number, MANIFEST), manifest.encode())
        self.put(release_path(number, MODEL), model)
        self.put(release_path(number, MODEL_CARD), card)

    def put_channel(self, channel: Channel) -> None:
        self.put(channel_path(channel.task), channel.encode(), into=self.channels)

    def offer(self, number: int, **changes: Any) -> None:
        """Publishes a release, and makes it the one to use."""
        manifest, model = a_release(number)
        manifest = replace(manifest, **changes)
        self.put_release(number, manifest, model)
        self.put_channel(Channel(TASK, champion=number))
        self.step()
        self.publish()


def target_url(path: str, content: bytes) -> str:
    directory, _, name = path.rpartition("/")
    return f"{TARGETS}{directory}/{sha256_of(content)}.{name}"


def a_release(number: int, *, padding: bytes = b"") -> tuple[Manifest, bytes]:
    """A real INT8 recogniser of digits, of two that take turns; padding makes its file larger and changes nothing."""
    manifest, model = read_release(ROOT / "tests" / "compat" / f"manifest-{1 + number % 2}")
    model += padding
    changed = replace(manifest, release=number, task=TASK, model=File.of(model))
    return changed, model


@dataclass
class Reply:
    """What the server answers with: a whole answer, or something that no registry would.

    Attributes:
        cut_after: How many bytes of the body come before the connection is gone.
        drip_s: A pause before each byte.
        endless: Whether the body never ends.
        drip_head: Whether the head of the answer trickles, too.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    drip_s: float = 0.0
    endless: bool = False
    drip_head: bool = False


class Server:
    """Serves a registry, or what a test wants instead.

    Attributes:
        files: What is served, by URL path.
        instead: Answers in its place, where it does not return None.
        asked: Paths, Range headers and statuses of answers, in order.
        sent: Bytes of bodies that were sent, by path.
    """

    def __init__(self) -> None:
        self.files: Files = {}
        self.instead: Callable[[str, Any], Reply | None] = lambda _path, _headers: None
        self.asked: list[tuple[str, str | None, int]] = []
        self.sent: dict[str, int] = {}
        self.stopping = threading.Event()

    def reset(self, files: Files) -> None:
        self.files, self.instead, self.asked, self.sent = files, lambda _path, _headers: None, [], {}

    def statuses(self, ending: str) -> list[int]:
        return [status for path, _, status in self.asked if path.endswith(ending)]


class _Handler(BaseHTTPRequestHandler):
    served: ClassVar[Server]
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        reply = self.served.instead(self.path, self.headers) or self._usual()
        self.served.asked.append((self.path, self.headers.get("Range"), reply.status))
        body = reply.body if reply.cut_after is None else reply.body[: reply.cut_after]
        # Before it is sent: who has it all goes on, and may look.
        self.served.sent[self.path] = self.served.sent.get(self.path, 0) + len(body)
        if reply.drip_head:
            self._trickle(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, 0.2)
        self.send_response(reply.status)
        length = {} if reply.endless or "Content-Length" in reply.headers else {"Content-Length": str(len(reply.body))}
        for name, value in {**reply.headers, **length}.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(reply, body)

    def _send(self, reply: Reply, body: bytes) -> None:
        if reply.drip_s:
            self._trickle(body, reply.drip_s)
        self.wfile.write(body)
        while reply.endless and not self.served.stopping.is_set():
            self.wfile.write(b"x" * 65_536)
        if reply.cut_after is not None or reply.endless:
            self.close_connection = True

    def _trickle(self, content: bytes, pause_s: float) -> None:
        for at in range(len(content)):
            if self.served.stopping.wait(pause_s):
                return
            self.wfile.write(content[at : at + 1])

    def _usual(self) -> Reply:
        content = self.served.files.get(self.path)
        if content is None:
            return Reply(404, b"there is none")
        etag = f'"{sha256_of(content)}"'
        if self.headers.get("If-None-Match") == etag:
            return Reply(304, b"", {"ETag": etag})
        begin = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        if not begin:
            return Reply(200, content, {"ETag": etag})
        if int(begin) >= len(content):
            return Reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        given = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        return Reply(206, content[int(begin) :], {"ETag": etag, "Content-Range": given})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


class _TlsServer(ThreadingHTTPServer):
    context: ssl.SSLContext
    daemon_threads = True

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(20)
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:  # a client that has had enough, as most tests want
            pass

    def shutdown_request(self, request: Any) -> None:
        request.close()


@dataclass
class Served:
    """A server that runs."""

    server: Server
    port: int
    ca: Credential


def serving(folder: Path, ca: Credential, names: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[Served]:
    """A running server, whose certificate the CA signed for these names."""
    credential = make_server_certificate(ca, names, now=datetime.now(UTC))
    chain = folder / "chain.pem"
    chain.write_bytes(credential.certificate + credential.key)
    server = Server()
    running = _TlsServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": server}))
    running.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    running.context.load_cert_chain(chain)
    threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield Served(server, running.server_address[1], ca)
    server.stopping.set()
    running.shutdown()
    running.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy
    timeout = 20

    def handle(self) -> None:
        _, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(f"CONNECT {target}")
        if not self.server.allowed:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as onward:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            sides = {self.connection: onward, onward: self.connection}
            while readable := select.select(sides, [], [], 20)[0]:
                for side in readable:
                    content = side.recv(65_536)
                    if not content:
                        return
                    sides[side].sendall(content)


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that takes CONNECT and remembers where to."""

    daemon_threads = True

    def __init__(self, *, allowed: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.allowed = allowed
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def proxies() -> Iterator[Callable[..., Proxy]]:
    """Starts proxies, and stops them all."""
    running: list[Proxy] = []

    def start(*, allowed: bool) -> Proxy:
        running.append(proxy := Proxy(allowed=allowed))
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return proxy

    yield start
    for proxy in running:
        proxy.shutdown()
        proxy.server_close()


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, *map(str.lower, PROXY_VARIABLES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def ca() -> Credential:
    return make_authority("North", now=datetime.now(UTC))


@pytest.fixture(scope="session")
def served(ca: Credential, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serving(tmp_path_factory.mktemp("server"), ca)


@dataclass
class Device:
    """A device that pulls from the test's registry."""

    folder: Path
    source: Source
    served: Served
    registry: Registry

    @property
    def store(self) -> Store:
        return Store(self.folder)

    @property
    def server(self) -> Server:
        return self.served.server

    def pull(self, **settings: Any) -> Pulled:
        return pull(self.store, self.source, PullSettings(**{"limits": LIMITS, **settings}))

    def options(self) -> list[str]:
        """For the command, in a process of its own."""
        (self.folder / "its-ca.pem").write_bytes(self.source.ca)
        (self.folder / "its-root.json").write_bytes(self.source.root)
        named = {"server": self.source.address.authority, "ca": "its-ca.pem", "root": "its-root.json"}
        options = [f"--{name}={value}" for name, value in named.items()]
        return [each.replace("=its-", f"={self.folder}/its-") for each in options] + [f"--data={self.folder}"]

    def reads(self) -> int:
        """Which release reads now, having read its self-test's first picture."""
        from handfed.clients.edge import Recogniser

        recogniser = Recogniser.of_device(self.folder)
        assert recogniser.manifest is not None
        reading = recogniser.read(recogniser.manifest.self_test.pictures[0, ..., 0])
        assert reading.text in recogniser.alphabet.names
        assert recogniser.release is not None
        return recogniser.release


@pytest.fixture(scope="session")
def _begun(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Path]:
    """A registry with release 1, and the folder of a device that uses it."""
    registry = Registry()
    registry.offer(1)
    device = _device(served, registry, tmp_path_factory.mktemp("device"))
    assert device.pull().outcome == "switched"
    assert device.reads() == 1
    return registry, device.folder


def _device(served: Served, registry: Registry, folder: Path) -> Device:
    served.server.reset(registry.files)
    source = Source(Address("127.0.0.1", served.port), served.ca.certificate, registry.first_root)
    return Device(folder, source, served, registry)


@pytest.fixture
def device(served: Served, _begun: tuple[Registry, Path], tmp_path: Path) -> Device:
    """A device that uses release 1 of a registry, both the test's own."""
    template, folder = _begun
    registry = template.copied()
    return _device(served, registry, Path(shutil.copytree(folder, tmp_path / "device")))


@pytest.fixture
def new_device(served: Served, tmp_path: Path) -> Device:
    """A device that has pulled nothing, and a registry with release 1."""
    registry = Registry()
    registry.offer(1)
    return _device(served, registry, tmp_path / "device")
