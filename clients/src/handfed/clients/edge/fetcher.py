"""How a device asks the registry: over TLS with the federation's CA only, within bounds, and never elsewhere.

Rules:
1. Only what the federation's CA signed for the host that was asked is spoken to. The machine's own CAs have no say.
2. No redirection is followed, no content is decompressed.
3. Everything has its bound: the connection and the head of an answer a time, a body a length and a least rate.
4. Proxies are those of the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY), asked to CONNECT; TLS ends at the server.
5. No message quotes a password of a proxy's URL.

What is raised is python-tuf's `DownloadError`, as its `FetcherInterface` asks for.

Source: RFC 9110 sections 13.1.2 (If-None-Match), 14 (ranges) and 9.3.6 (CONNECT).
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.exceptions import ProxyError as ViaProxyError
from urllib3.exceptions import SSLError as TlsError

from handfed.shared.address import Address
from handfed.shared.printable import printable
from handfed.shared.tls import trusting

_CHUNK_BYTES: Final = 65_536
_RANGE: Final = re.compile(r"bytes (\d{1,18})-")


class UnreachableError(DownloadError):
    """There is no way to the server, or it broke off."""


class UntrustedServerError(DownloadError):
    """Whoever answers is not the federation's server."""


class RedirectError(DownloadError):
    """The server sends the device elsewhere."""


class HttpStatusError(DownloadHTTPError):
    """The server does not give what was asked for."""


@dataclass(frozen=True)
class Limits:
    """How long a device waits for a registry.

    Attributes:
        silence_s: Longest time without a byte, and to connect.
        head_s: Longest time until the head of an answer is there, however it trickles.
        window_s: Over which the rate of a body is taken.
        least_bytes_per_s: What a window must bring at the least.
        attempts: How often a download that breaks off is taken up without one further byte.
        pause_s: Between two attempts.
    """

    silence_s: float = 20.0
    head_s: float = 45.0
    window_s: float = 30.0
    least_bytes_per_s: float = 1000.0
    attempts: int = 4
    pause_s: float = 1.0


@dataclass(frozen=True)
class Answer:
    """What the registry answered, to be asked for on a condition the next time.

    Attributes:
        etag: The answer's entity tag.
        body: Its content.
    """

    etag: str
    body: bytes


class Fetcher(FetcherInterface):
    """Requests of one device to one registry.

    Attributes:
        known: Answers by URL, for which only what has changed is asked; what comes is put there.

    Args:
        address: Where the server is.
        ca: The federation's CA, PEM.
        conditional: URLs whose answers are kept in `known`.
        limits: How long to wait.

    Raises:
        CertificateError: The CA's certificate is damaged.
        UnreachableError: The environment's proxy is none.
    """

    def __init__(
        self, address: Address, ca: bytes, *, conditional: frozenset[str] = frozenset(), limits: Limits | None = None
    ) -> None:
        self.known: dict[str, Answer] = {}
        self.limits = limits or Limits()
        self._address = address
        self._conditional = conditional
        self._latest: urllib3.BaseHTTPResponse | None = None
        self._proxy = _proxy_for(address.host)
        self._pool = self._manager(trusting(ca))

    def _manager(self, context: ssl.SSLContext) -> urllib3.PoolManager:
        settings: dict[str, Any] = {
            "ssl_context": context,
            "retries": False,
            "timeout": urllib3.Timeout(connect=self.limits.silence_s, read=self.limits.silence_s),
            "headers": {"User-Agent": "handfed-edge", "Accept-Encoding": "identity"},
        }
        if not self._proxy:
            manager = urllib3.PoolManager(**settings)
        else:
            try:
                url = urllib3.util.parse_url(self._proxy)
                login = urllib3.make_headers(proxy_basic_auth=unquote(url.auth)) if url.auth else None
                manager = urllib3.ProxyManager(self._proxy, proxy_headers=login, **settings)
            except (ValueError, HTTPError):  # whose messages quote passwords
                raise UnreachableError(
                    "HTTPS_PROXY or ALL_PROXY names no proxy: write it as http://host:port"
                ) from None
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _pool_class(self.limits.head_s)}
        return manager

    def close(self) -> None:
        """Ends the connections, and an answer that nobody has read to its end."""
        if self._latest is not None:
            self._latest.close()
        self._pool.clear()

    def _fetch(self, url: str) -> Iterator[bytes]:
        """The content at an address, as python-tuf asks for metadata."""
        before = self.known.get(url)
        response = self._get(url, {"If-None-Match": before.etag} if before else {})
        if before and response.status == HTTPStatus.NOT_MODIFIED:
            response.release_conn()
            return iter([before.body])
        self._expect(response, {HTTPStatus.OK})
        return self._kept(url, response) if url in self._conditional else self._body(response)

    def _kept(self, url: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        content = bytearray()
        for chunk in self._body(response):
            content += chunk
            yield chunk
        self.known.pop(url, None)
        if etag := response.headers.get("etag"):
            self.known[url] = Answer(etag, bytes(content))

    def from_byte(self, url: str, start: int) -> tuple[int, Iterator[bytes]]:
        """The rest of a file.

        A target's URL holds its hash, so the rest is of the same file; and the hash is checked in the end. That is why
        there is no If-Range.

        Args:
            url: Where it is.
            start: How many bytes are here already.

        Returns:
            From which byte on it comes: 0 where the server does not give a part, or has no such byte; and the bytes.

        Raises:
            DownloadError: It does not come.
        """
        response = self._get(url, {"Range": f"bytes={start}-"} if start else {})
        if start and response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            response.close()
            return self.from_byte(url, 0)
        self._expect(response, {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT} if start else {HTTPStatus.OK})
        if response.status == HTTPStatus.OK:
            return 0, self._body(response)
        given = _RANGE.match(response.headers.get("content-range", ""))
        if given is None or int(given[1]) != start:
            response.close()
            return self.from_byte(url, 0)
        return start, self._body(response)

    def _get(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        if self._latest is not None:
            self._latest.close()
        try:
            self._latest = self._pool.request(
                "GET",
                url,
                headers={**self._pool.headers, **headers},
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise self._failure(error) from error
        return self._latest

    @staticmethod
    def _expect(response: urllib3.BaseHTTPResponse, wanted: set[HTTPStatus]) -> None:
        if response.status in wanted:
            return
        response.close()
        if 300 <= response.status < 400:  # noqa: PLR2004 - RFC 9110 section 15.4
            raise RedirectError(f"HTTP status {response.status}")
        raise HttpStatusError(f"HTTP status {response.status}", response.status)

    def _body(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """What comes, as it comes; a rate below the least ends it."""
        since, came = time.monotonic(), 0
        whole = False
        try:
            while chunk := response.read1(_CHUNK_BYTES):
                came += len(chunk)
                took = time.monotonic() - since
                if took >= self.limits.window_s:
                    if came < took * self.limits.least_bytes_per_s:
                        raise SlowRetrievalError(f"{came} bytes in {took:.0f} s")
                    since, came = time.monotonic(), 0
                yield chunk
            whole = True
        except HTTPError as error:
            raise self._failure(error) from error
        finally:
            if whole:
                response.release_conn()
            else:
                response.close()

    def _failure(self, error: HTTPError) -> DownloadError:
        """What is wrong with the way to the server, for people."""
        causes = list(_causes(error))
        way = f"the server at {self._address}"
        if isinstance(error, ViaProxyError) or (self._proxy and _is_unconnected(causes)):
            return UnreachableError(
                f"the proxy {_without_login(self._proxy)} does not let this device through to {self._address}: ask who "
                "runs the network to allow CONNECT to that host and port, or set HTTPS_PROXY and NO_PROXY"
            )
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return UntrustedServerError(f"{way}: {printable(cause.verify_message)}")
        if isinstance(error, ReadTimeoutError):
            return SlowRetrievalError(f"{way} is silent, or trickles")
        if isinstance(error, NameResolutionError):
            return UnreachableError(f"{way} has a name that is not known here: check this device's network and DNS")
        if isinstance(error, TlsError) or any(isinstance(cause, ssl.SSLError) for cause in causes):
            return UnreachableError(f"{way} broke off, or speaks no TLS: check the address and the port")
        return UnreachableError(
            f"{way} cannot be reached, or broke off: check this device's network; what is here goes on working"
        )


def _is_unconnected(causes: list[BaseException]) -> bool:
    return any(isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in causes)


def _pool_class(head_s: float) -> type[urllib3.HTTPSConnectionPool]:
    """Connections that are cut where handshake, CONNECT or the head of an answer take too long.

    A socket's own time-out starts anew with every byte, so it does not end a drip.
    """

    class Connection(HTTPSConnection):
        _was_cut = False

        def connect(self) -> None:
            with self._watched():
                super().connect()

        def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's answer, which it publishes no name of
            with self._watched():
                return super().getresponse()

        @contextmanager
        def _watched(self) -> Iterator[None]:
            timer = threading.Timer(head_s, self._cut)
            timer.daemon = True
            timer.start()
            try:
                yield
            except Exception as error:
                if self._was_cut:
                    raise TimeoutError("the head of the answer trickles") from error
                raise
            finally:
                timer.cancel()

        def _cut(self) -> None:
            self._was_cut = True
            if self.sock is not None:
                with suppress(OSError):  # of the TCP socket: TLS would want to say goodbye first
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    class Pool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Connection

    return Pool


def _proxy_for(host: str) -> str:
    """The proxy that the environment names for a host, or nothing."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all") or ""
    if not proxy or urllib.request.proxy_bypass(host):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _without_login(proxy: str) -> str:
    url = urllib3.util.parse_url(proxy)
    return printable(f"{url.host}:{url.port}" if url.port else f"{url.host}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        reason = getattr(cause, "reason", None)
        cause = reason if isinstance(reason, BaseException) else cause.__cause__ or cause.__context__
