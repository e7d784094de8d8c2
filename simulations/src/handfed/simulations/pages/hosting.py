"""A server's control API and pages on this machine's loopback, without Flower or devices: for a browser to look at.

    with hosted(folder) as host:
        host.url, host.services

It speaks TLS by a certificate of its own CA, as a server does, and so gets its cookie back.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from handfed.dashboards.web import create_router
from handfed.server.api.app import create_app
from handfed.server.api.services import Services
from handfed.server.authority.files import authority_in
from handfed.server.authority.live import LiveCertificate
from handfed.server.database import open_database
from handfed.server.devices.memory import MemoryRegistry
from handfed.server.runs.live import LiveExchange
from handfed.server.settings import KEEP_ALIVE_S, ServerSettings

LOOPBACK: Final = "127.0.0.1"
_LOOK_S: Final = 0.02


@dataclass(frozen=True)
class Host:
    """What is hosted.

    Attributes:
        url: Where the pages are.
        services: Over the same database.
        live: What the pages take for what devices do.
        data_dir: The server's.
    """

    url: str
    services: Services
    live: LiveExchange
    data_dir: Path


@contextmanager
def hosted(data_dir: Path) -> Iterator[Host]:
    """Hosts a data directory, which is made where there is none, until the block is over."""
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    settings = ServerSettings.load(data_dir, address=f"{LOOPBACK}:{port}", environment={})
    certificate = LiveCertificate(authority_in(data_dir), [LOOPBACK])
    live = LiveExchange()
    with listener, open_database(settings.database) as database:
        services = Services.over(
            database, MemoryRegistry(), authority=settings.authority, attempts_per_minute=10_000, live=live
        )
        app = create_app(settings, services)
        app.include_router(create_router(settings))
        config = uvicorn.Config(
            app,
            ssl_context_factory=lambda _config, _default: certificate.context,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws="none",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(_serve(server, listener)), daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(_LOOK_S)
            yield Host(f"https://{LOOPBACK}:{port}/dashboard/", services, live, data_dir)
        finally:
            server.should_exit = True
            thread.join()


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serves, and then hangs up on who still listens: uvicorn leaves such connections to the end of a process."""
    await server.serve(sockets=[listener])
    while server.server_state.connections:
        for connection in server.server_state.connections:
            connection.transport.abort()
        await asyncio.sleep(_LOOK_S)
