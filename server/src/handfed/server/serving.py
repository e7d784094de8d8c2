"""The process that serves a federation: the control API and Flower's Fleet API on one TLS port, and the runs.

python -m handfed.server.serving PARENT     what `handfed serve` keeps going; settings come as JSON on standard input
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from handfed.server.alerts.courier import Courier
from handfed.server.alerts.service import AlertRecord
from handfed.server.api.app import create_app
from handfed.server.api.services import Services
from handfed.server.attention.expiries import Expiries
from handfed.server.authority import files as authority
from handfed.server.authority.live import LiveCertificate
from handfed.server.database import open_database
from handfed.server.flower.conductor import Conductor, Launch
from handfed.server.flower.door import Door
from handfed.server.flower.link import Link
from handfed.server.registry.files import registry_in
from handfed.server.registry.service import Registry
from handfed.server.registry.upkeep import RegistryUpkeep
from handfed.server.releases.service import ReleaseRecord
from handfed.server.runs.control import RunQueue
from handfed.server.runs.live import LiveExchange
from handfed.server.runs.service import RunRecord
from handfed.server.settings import KEEP_ALIVE_S, ServerSettings
from handfed.shared.address import Address
from handfed.shared.data_directory import releases_in
from handfed.shared.errors import HandfedError, SettingError
from handfed.shared.files import make_private, write_atomically
from handfed.shared.parent import die_with

WEB: Final = "handfed.web"  # entry points of other parts' pages: each gives a router for the settings
LINK_STATE: Final = Path("superlink") / "link.sqlite"  # in the data directory
TOKEN_FILE: Final = Path("first-admin-token")  # in the data directory
LOOPBACK: Final = "127.0.0.1"
_LEAVE_S: Final = 2  # that who is connected has to leave, when the server ends
_TOUCH_S: Final = 3.0  # who waits for a device to appear waits that long
_RECONCILE_S: Final = 1.0  # so that a device that was revoked at the terminal is out within a second or two
_log = logging.getLogger(__name__)


def serve(settings: ServerSettings) -> None:
    """Serves until the process is told to end."""
    outside, inside = _bound(settings.host, settings.port), _bound(LOOPBACK, 0)
    make_private((settings.data_dir / LINK_STATE).parent)
    certificate = LiveCertificate(
        authority.authority_in(settings.data_dir), [Address.parse(settings.address).host, "localhost", LOOPBACK]
    )
    registry = Registry(registry_in(settings.data_dir), settings.lifetimes)
    registry.ensure()
    with open_database(settings.database) as database:
        link = Link(settings.data_dir / LINK_STATE)
        link.end_all()  # of an earlier process: what shall go on is begun anew
        live = LiveExchange()
        services = Services.over(
            database,
            link,
            authority=settings.authority,
            attempts_per_minute=settings.enrolments_per_minute,
            promotion=settings.promotion_settings(),
            live=live,
            expiries=Expiries(settings.data_dir, settings.lifetimes),
        )
        settings.save()  # nothing refuses any more: other commands shall know of this server
        _tell_first_token(services, settings.data_dir / TOKEN_FILE)
        ours = create_app(settings, services)
        for entry in entry_points(group=WEB):
            ours.include_router(entry.load()(settings))
        door = Door(link.app, ours, live=live)
        link.revoked, link.begun = door.ring, live.forget
        address = f"{LOOPBACK}:{inside.getsockname()[1]}"
        queue, runs = RunQueue(database), RunRecord(database)
        conductor = Conductor(queue, runs, link, Launch(settings.data_dir, settings.database, address))
        upkeep = threading.Event()
        releases = RegistryUpkeep(
            registry, ReleaseRecord(database), releases_in(settings.data_dir), (services.promotions, services.pins)
        )
        courier = Courier(AlertRecord(database, services.attention), settings.data_dir, settings.address)
        threads = [
            threading.Thread(target=conductor.work, name="runs"),
            threading.Thread(
                target=_keep_up, args=(services, door, releases, certificate, courier, upkeep), name="upkeep"
            ),
        ]
        # What is there now stays: a collection that goes over it would hold up every answer for a fifth of a second.
        gc.collect()
        gc.freeze()
        try:
            courier.start()
            asyncio.run(_listen(certificate, link, ours, door, (outside, inside), threads))
        finally:
            conductor.close()
            upkeep.set()
            courier.close()
            for thread in threads:
                if thread.is_alive():
                    thread.join()


def _tell_first_token(services: Services, path: Path) -> None:
    """Shows the token of the first admin to a person, and to no log: where nobody looks on, it is left in a file."""
    secret = services.tokens.ensure_first_admin()
    if secret is None:
        return
    if sys.stdout.isatty():
        sys.stdout.write(f"The first admin's token; it is shown this once, so keep it: {secret}\n")
        sys.stdout.flush()
    else:
        write_atomically(path, f"{secret}\n".encode())  # which makes it for its owner alone
        _log.info("the first admin's token is in %s: keep it elsewhere, and delete that file", path)


class _Quiet(uvicorn.Server):
    """A server that leaves signals to another."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield


async def _listen(  # noqa: PLR0917 - what listens has that many parts
    certificate: LiveCertificate,
    link: Link,
    ours: FastAPI,
    door: Door,
    sockets: tuple[socket.socket, socket.socket],
    threads: list[threading.Thread],
) -> None:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with link.lifespan():
            yield

    ours.router.lifespan_context = lifespan
    public = uvicorn.Server(
        uvicorn.Config(
            door.outside,
            interface="asgi3",
            ssl_context_factory=lambda _config, _default: certificate.context,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=_LEAVE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
    )
    private = _Quiet(
        uvicorn.Config(
            door.inside,
            interface="asgi3",
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
    )

    async def until_public_ends() -> None:
        await public.serve(sockets=[sockets[0]])
        private.should_exit = True

    for thread in threads:
        thread.start()
    _log.info("serving at port %d; end with Ctrl+C", sockets[0].getsockname()[1])
    await asyncio.gather(until_public_ends(), private.serve(sockets=[sockets[1]]))


def _keep_up(  # noqa: PLR0917 - what is looked after has that many parts
    services: Services,
    door: Door,
    releases: RegistryUpkeep,
    certificate: LiveCertificate,
    courier: Courier,
    over: threading.Event,
) -> None:
    """Lets keys in and out as is wanted, notes which devices were heard of, keeps registry and certificate, and learns.

    That is, it starts runs where a policy says so. It also looks for what people are to be told of.
    """
    since, thoroughly = time.time(), True
    while not over.wait(_RECONCILE_S):
        releases.look()
        certificate.look()
        try:
            courier.look()
            services.policies.look()
            services.registrar.reconcile(thoroughly=thoroughly)
            thoroughly = False
            if time.time() - since >= _TOUCH_S:
                heard = [node for node, at in list(door.asked_at.items()) if at >= since]
                since = time.time()
                services.devices.touch(heard)
        except HandfedError as error:
            _log.warning("devices are not looked after just now: %s", error)
        except Exception:  # noqa: BLE001 - this thread is the only one that looks after devices
            _log.exception("devices are not looked after just now")


def _bound(host: str, port: int) -> socket.socket:
    """A socket at an address of this machine.

    Raises:
        SettingError: The address is none, or something else listens there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        if port:
            found.listen()  # two that have bound find out here
    except OSError as error:
        raise SettingError(
            f"cannot listen at port {port} of {host}: {error.strerror}; end what listens there, or choose another with"
            " --port"
        ) from error
    return found


def main() -> None:
    """Serves with the settings on standard input."""
    die_with(int(sys.argv[1]))  # nobody would start it again, and the lock of the data directory is gone
    os.umask(0o077)  # what is made here is for nobody else
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Objects that move, steps of a migration or a start, keys that sign in vain.
    for talkative in ("flwr", "alembic", "uvicorn", "tuf"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    try:
        serve(ServerSettings.model_validate_json(sys.stdin.read()))
    except HandfedError as error:
        sys.stderr.write(f"handfed: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
