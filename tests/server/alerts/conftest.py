"""A web server and a mail server of this machine that alerts are really sent to, with and without TLS."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.message import Message as Mail
from email.parser import BytesParser
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from handfed.server.alerts.service import AlertRecord
from handfed.server.authority import certificates
from handfed.server.clock import now
from handfed.simulations.real import free_port

PASSWORD = "correct horse"  # noqa: S105 - of a mail server in a test


@dataclass
class Receiver:
    """A web server that takes what is posted, or answers what it is told to."""

    status: int = 200
    location: str | None = None
    posted: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    answering: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A web server of this machine."""
    receiver = Receiver()
    receiver.answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append((self.path, dict(self.headers), body))
            receiver.answering.wait(600)
            self.send_response(receiver.status)
            if receiver.location:
                self.send_header("Location", receiver.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme, port = ("http" if context is None else "https"), server.server_address[1]
    receiver.url = f"{scheme}://127.0.0.1:{port}/hooks/s3cret-path"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answering.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Mailbox:
    """A mail server that takes what is sent to it, or answers what it is told to."""

    answer: str = "250 OK"
    port: int = 0
    recipients: list[list[str]] = field(default_factory=list)
    accounts: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - as aiosmtpd calls it
        if self.answer.startswith("250"):
            self.recipients.append(envelope.rcpt_tos)
            self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
            self.mails.append(BytesParser(policy=SMTP).parsebytes(envelope.content))
        return self.answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        self.accounts.append(data.login)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


async def _all_left() -> None:
    """Waits until nobody is served any more: whom a loop serves that is closed stays open."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


@contextmanager
def mailing(context: ssl.SSLContext | None = None, *, security: str = "none") -> Iterator[Mailbox]:
    """A mail server of this machine."""
    box = Mailbox(port=free_port())
    more: dict[str, Any] = {}
    if security == "starttls":
        more = {"tls_context": context, "require_starttls": True, "authenticator": box.authenticate}
    elif security == "tls":
        more = {"ssl_context": context}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, ready_timeout=60, **more)
    controller.start()
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(_all_left(), controller.loop).result(60)
        controller.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server without TLS."""
    with receiving() as made:
        yield made


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server without TLS."""
    with mailing() as made:
        yield made


@dataclass(frozen=True)
class Trust:
    """A CA, and server contexts with certificates of it: for this machine, and for another."""

    ca: Path
    context: ssl.SSLContext
    other: ssl.SSLContext


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """A CA that nobody trusts yet."""
    folder = tmp_path_factory.mktemp("tls")
    authority = certificates.make_authority("Test", now=now())
    (folder / "ca.pem").write_bytes(authority.certificate)

    def context(*names: str) -> ssl.SSLContext:
        server = certificates.make_server_certificate(authority, names, now=now())
        for name, content in (("server", server.certificate), ("key", server.key)):
            (folder / f"{name}.pem").write_bytes(content)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(folder / "server.pem", folder / "key.pem")
        return made

    return Trust(folder / "ca.pem", context("localhost", "127.0.0.1"), context("elsewhere.example"))


@pytest.fixture
def https(trust: Trust) -> Iterator[Receiver]:
    """A web server with TLS."""
    with receiving(trust.context) as made:
        yield made


@pytest.fixture
def another(trust: Trust) -> Iterator[Receiver]:
    """A web server with a certificate for another host."""
    with receiving(trust.other) as made:
        yield made


@pytest.fixture
def open_mailbox(trust: Trust) -> Iterator[Callable[[str], Mailbox]]:
    """Opens a mail server with TLS: `starttls` or `tls`."""
    with ExitStack() as stack:
        yield lambda security: stack.enter_context(mailing(trust.context, security=security))


@pytest.fixture
def trusted(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts the CA."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trust.ca))


@pytest.fixture
def record(services: Any, clock: Any) -> AlertRecord:
    """Alerts over a database of each kind in turn, of a server that runs for a while."""
    made = AlertRecord(services.database, services.attention, clock)
    clock.forward(minutes=30)
    return made
