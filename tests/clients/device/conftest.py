"""A real HTTPS server with a real CA that enrols devices, one that listens in between, and a proxy."""

from __future__ import annotations

import base64
import json
import secrets
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from handfed.server.authority.certificates import Credential, fingerprint, make_authority, make_server_certificate
from handfed.shared.enrolment import (
    AUTHORITY,
    AUTHORITY_MEDIA_TYPE,
    ENROLMENTS,
    EnrolmentAnswer,
    enrolment_statement,
)
from handfed.shared.invitation import Invitation
from handfed.shared.key_rotation import rotation_message

LIFE_OF_A_CONNECTION_S = 30
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass
class FederationServer:
    """Enrols devices by the rules of `handfed.shared.enrolment`, in memory."""

    ca: Credential
    port: int = 0
    invited: dict[bytes, str | None] = field(default_factory=dict)  # by secret: the key that used it
    devices: dict[int, str] = field(default_factory=dict)  # public keys
    refusal: tuple[int, dict[str, Any], dict[str, str]] | None = None  # what every POST is answered with
    registry_root: str | None = '{"signed": "root 1"}'  # what it tells a device to trust
    lost_answers: int = 0  # how many are done and not answered
    ahead: timedelta = timedelta()  # of its clock
    requests: list[tuple[str, Any]] = field(default_factory=list)

    def invite(self, host: str = "127.0.0.1") -> Invitation:
        secret = secrets.token_bytes(32)
        self.invited[secret] = None
        return Invitation(f"{host}:{self.port}", fingerprint(self.ca.certificate), secret)

    def posted(self) -> list[Any]:
        return [document for path, document in self.requests if path != AUTHORITY]

    def answer(self, path: str, document: Any) -> tuple[int, dict[str, Any]]:
        if path == ENROLMENTS:
            return self._enrol(document)
        return self._rotate(int(path.split("/")[-2]), document)

    def _enrol(self, document: Any) -> tuple[int, dict[str, Any]]:
        secret, key = bytes.fromhex(document["secret"]), document["public_key"]
        statement = enrolment_statement(fingerprint(self.ca.certificate), secret, key)
        if not signed(key, statement, document["proof"]):
            return 403, {"type": "/api/v1/problems/proof-invalid"}
        if secret not in self.invited:
            return 404, {"type": "/api/v1/problems/invitation-unknown"}
        if self.invited[secret] not in {None, key}:
            return 409, {"type": "/api/v1/problems/invitation-used"}
        is_new = self.invited[secret] is None
        number = len(self.devices) + 1 if is_new else next(n for n, k in self.devices.items() if k == key)
        self.invited[secret] = self.devices[number] = key
        return 201, self._described(number, document["name"])

    def _rotate(self, number: int, document: Any) -> tuple[int, dict[str, Any]]:
        old, new = self.devices.get(number), document["public_key"]
        if old is None:
            return 403, {"type": "/api/v1/problems/rotation-refused"}
        if old != new:
            message = rotation_message(number, key_digest(old), key_digest(new))
            if not (
                signed(old, message, document["old_signature"]) and signed(new, message, document["new_signature"])
            ):
                return 403, {"type": "/api/v1/problems/rotation-refused"}
        self.devices[number] = new
        return 200, self._described(number, None)

    def _described(self, number: int, name: str | None) -> dict[str, Any]:
        return EnrolmentAnswer(number, name or "reception", "Clinic North", 5000, self.registry_root).as_json()


def key_digest(public_key: str) -> str:
    key = serialization.load_pem_public_key(public_key.encode())
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def signed(public_key: str, statement: bytes, signature: str) -> bool:
    key = serialization.load_pem_public_key(public_key.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP384R1)
    try:
        key.verify(base64.b64decode(signature, validate=True), statement, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True


class _Handler(BaseHTTPRequestHandler):
    federation: ClassVar[FederationServer]
    timeout = LIFE_OF_A_CONNECTION_S

    def do_GET(self) -> None:
        self.federation.requests.append((self.path, None))
        self._send(200, self.federation.ca.certificate, {"Content-Type": AUTHORITY_MEDIA_TYPE})

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.federation.requests.append((self.path, document))
        headers = {"Content-Type": "application/json"}
        if self.federation.refusal is not None:
            status, answer, more = self.federation.refusal
            headers |= more
        else:
            status, answer = self.federation.answer(self.path, document)
        if self.federation.lost_answers:
            self.federation.lost_answers -= 1
            return
        self._send(status, json.dumps(answer).encode(), headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        assert timestamp is None
        return format_datetime(datetime.now(UTC) + self.federation.ahead, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


class _TlsServer(ThreadingHTTPServer):
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(LIFE_OF_A_CONNECTION_S)
        try:
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)
        except OSError:  # a client that does not trust it, as some tests want
            pass

    def shutdown_request(self, request: Any) -> None:
        request.close()


class Servers:
    """Starts servers, and stops them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[socketserver.BaseServer] = []

    def serve(
        self,
        ca: Credential,
        *,
        names: tuple[str, ...] = ("127.0.0.1",),
        made: datetime | None = None,
        shown: Any = None,
    ) -> FederationServer:
        """A server whose certificate `ca` signed; it shows `shown` as its CA, where that is given."""
        credential = make_server_certificate(ca, names, now=made or datetime.now(UTC))
        chain = self._folder / f"chain{len(self._running)}.pem"
        chain.write_bytes(credential.certificate + credential.key)
        federation = FederationServer(shown or ca)
        server = _TlsServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"federation": federation}))
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(chain)
        federation.port = server.server_address[1]
        self._start(server)
        return federation

    def proxy(self, *, allowed: bool = True) -> Proxy:
        proxy = Proxy(allowed=allowed)
        self._start(proxy)
        return proxy

    def _start(self, server: socketserver.BaseServer) -> None:
        self._running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        for server in self._running:
            server.shutdown()
            server.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy
    timeout = LIFE_OF_A_CONNECTION_S

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(f"{method} {target}")
        if not self.server.allowed:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as onward:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._pump(onward)

    def _pump(self, onward: socket.socket) -> None:
        sides = {self.connection: onward, onward: self.connection}
        while readable := select.select(sides, [], [], LIFE_OF_A_CONNECTION_S)[0]:
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


@pytest.fixture(scope="session")
def ca() -> Credential:
    return make_authority("North", now=datetime.now(UTC))


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    folder = tmp_path / "servers"
    folder.mkdir()
    running = Servers(folder)
    yield running
    running.stop()


@pytest.fixture
def server(servers: Servers, ca: Credential) -> FederationServer:
    return servers.serve(ca)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "device"
