"""A device's requests to its server: over TLS, through the network's proxy, and each failure said in its own words.

    EnrolmentError
    ├── UnreachableError        no way to the server: name, route, port, time
    ├── ProxyError              the network's proxy refuses, or is not there
    ├── InterceptedError        whoever answers is not the federation's server
    ├── ServerCertificateError  it is, but its certificate has expired or is for another name
    ├── ClockError              this device's clock differs from the server's
    ├── NoHandfedError          what answers is no Handfed server, or one that failed
    └── RefusedError            the server said no, and why

Rules:
1. Before the CA is known, one thing is asked, the CA's certificate, and nothing is believed that has not its
   fingerprint. No secret is sent before the server has proved itself by that CA.
2. Everything else is asked of a server whose certificate the CA signed, for the host that was asked. The machine's
   own list of CAs has no say in it.
3. Proxies are those of the environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY), asked to CONNECT; TLS ends at the server.
4. No message quotes a password of a proxy's URL or a secret.

Source: RFC 9110 section 9.3.6 (CONNECT) and 6.6.1 (Date), RFC 9457 (problem details).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from handfed.clients.device.refusals import RefusedError
from handfed.shared.address import Address
from handfed.shared.enrolment import AUTHORITY, CLOCK_AHEAD_S, CLOCK_BEHIND_S
from handfed.shared.errors import EnrolmentError
from handfed.shared.printable import printable
from handfed.shared.tls import trusting

Clock = Callable[[], datetime]

TIMEOUT_S: Final = 15.0
_LARGEST_ANSWER_BYTES: Final = 65_536
_DATE_RESOLUTION_S: Final = 1.0  # a Date header counts whole seconds
# OpenSSL's reasons (x509_vfy.h) that concern the right CA's certificate; any other means another CA.
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST, _WRONG_IP = 9, 10, 62, 64


class UnreachableError(EnrolmentError):
    """There is no way to the server."""


class ProxyError(EnrolmentError):
    """The network's proxy refuses, or is not there."""


class InterceptedError(EnrolmentError):
    """Whoever answers is not the federation's server; somebody may be listening."""


class ServerCertificateError(EnrolmentError):
    """The server's certificate is of the federation and does not hold."""


class ClockError(EnrolmentError):
    """This device's clock differs too much from the server's."""


class NoHandfedError(EnrolmentError):
    """What answers is no Handfed server, or one that failed."""


def utc_now() -> datetime:
    """The time of this machine's clock."""
    return datetime.now(UTC)


def clock_difference(sent: datetime, received: datetime, date: datetime) -> float:
    """By how many seconds this device's clock is certainly ahead (positive) or behind (negative); 0 where it may agree.

    The server wrote its date, cut to whole seconds, at some moment between the two times.

    Args:
        sent: When the request was sent, by this device's clock.
        received: When the answer was there.
        date: The answer's `Date`.
    """
    ahead = (sent - date).total_seconds() - _DATE_RESOLUTION_S
    behind = (date - received).total_seconds()
    return ahead if ahead > 0 else -behind if behind > 0 else 0.0


class ServerLink:
    """Requests of one device to one server."""

    def __init__(self, address: Address, *, clock: Clock = utc_now, timeout_s: float = TIMEOUT_S) -> None:
        self.address = address
        self._clock = clock
        self._timeout_s = timeout_s
        self._url = f"https://{address.authority}"

    def greet(self, fingerprint: bytes) -> bytes:
        """Fetches the federation's CA, and sees that both clocks agree.

        Args:
            fingerprint: SHA-256 of the DER of the CA's certificate.

        Returns:
            The certificate, PEM.

        Raises:
            EnrolmentError: One of this module's, of which each says what to do.
        """
        ca, difference_s = self.fetch_authority(fingerprint)
        check_clock(difference_s)
        self._check_time_of(ca)
        return ca

    def fetch_authority(self, fingerprint: bytes) -> tuple[bytes, float]:
        """The federation's CA, PEM, and this device's `clock_difference`, 0 where the server says no time.

        Raises:
            EnrolmentError: One of this module's.
        """
        sent = self._clock()
        response = self._send(httpx.Request("GET", self._url + AUTHORITY), _untrusting())
        received = self._clock()
        if response.status_code != HTTPStatus.OK:
            raise self._no_handfed(f"it answers {response.status_code} when asked for its CA")
        try:
            pem = ssl.DER_cert_to_PEM_cert(der := ssl.PEM_cert_to_DER_cert(response.text.strip()))
        except ValueError:
            raise self._no_handfed("what it shows as its CA is no certificate") from None
        if not hmac.compare_digest(hashlib.sha256(der).digest(), fingerprint):
            raise InterceptedError(
                f"the server at {self.address} is not the one that made this invitation: its CA has another "
                "fingerprint. Somebody may be listening; nothing was sent. Compare the address with the operator, try "
                "another network, or ask for a new invitation if the server was set up anew"
            )
        return pem.encode("ascii"), _difference(response, sent, received)

    def post(self, path: str, document: Mapping[str, Any], ca: bytes) -> object:
        """Sends a JSON object to the server that the CA vouches for.

        Args:
            path: Where to.
            document: What is sent.
            ca: The CA's certificate, PEM.

        Returns:
            The JSON that comes back.

        Raises:
            EnrolmentError: One of this module's.
        """
        response = self._send(httpx.Request("POST", self._url + path, json=document), trusting(ca))
        answer = _json(response)
        if response.is_success and answer is not None:
            return answer
        if response.is_client_error and isinstance(answer, Mapping) and "type" in answer:
            raise RefusedError(answer, response.headers.get("retry-after"))
        if response.is_server_error:
            raise NoHandfedError(
                f"the server at {self.address} failed ({response.status_code}); wait a minute, then repeat the same "
                "command: what was begun is taken up again"
            )
        raise self._no_handfed(f"it answers {response.status_code}, which a Handfed server would not")

    def certificate_end(self, ca: bytes) -> datetime:
        """Until when the certificate holds that the server proves itself with, aware, in UTC.

        Args:
            ca: The CA's certificate, PEM.

        Raises:
            EnrolmentError: One of this module's.
        """
        client = self._client(trusting(ca))
        with client, self.failures_named(), client.stream("GET", self._url + AUTHORITY) as response:
            connection = response.extensions["network_stream"].get_extra_info("ssl_object")
            end = ssl.cert_time_to_seconds(connection.getpeercert()["notAfter"])
        return datetime.fromtimestamp(end, UTC)

    def _send(self, request: httpx.Request, context: ssl.SSLContext) -> httpx.Response:
        """One request; the answer is read to a limit, and redirections are not followed."""
        with self._client(context) as client, self.failures_named():
            response = client.send(request, stream=True)
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_ANSWER_BYTES:
                    raise self._no_handfed("its answer does not end")
            headers = [(key, value) for key, value in response.headers.items() if key != "content-encoding"]
            return httpx.Response(response.status_code, headers=headers, content=bytes(content))

    @contextmanager
    def failures_named(self) -> Iterator[None]:
        """Turns what httpx raises within the block into errors that say what to do.

        Raises:
            EnrolmentError: One of this module's.
        """
        try:
            yield
        except httpx.ProxyError as error:
            raise ProxyError(
                f"the proxy {self._proxy()} does not let this device through to {self.address} "
                f"({printable(str(error))}): ask who runs the network to allow CONNECT to that host and port, or "
                "set HTTPS_PROXY and NO_PROXY"
            ) from error
        except httpx.RequestError as error:
            raise self._transport_error(error) from error

    def _client(self, context: ssl.SSLContext) -> httpx.Client:
        try:
            return httpx.Client(verify=context, timeout=self._timeout_s)
        except (httpx.InvalidURL, ValueError, ImportError):  # ImportError: of SOCKS; the messages quote passwords
            raise ProxyError("HTTPS_PROXY or ALL_PROXY names no proxy: write it as http://host:port") from None

    def _transport_error(self, error: httpx.RequestError) -> EnrolmentError:
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return self._certificate_error(cause)
        if any(isinstance(cause, ssl.SSLError) for cause in causes):
            return self._no_handfed("no TLS is spoken there")
        proxy = self._proxy()
        way = f"the proxy {proxy}, on the way to {self.address}," if proxy else f"the server at {self.address}"
        kind = ProxyError if proxy else UnreachableError
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return kind(f"{way} has a name that is not known here: check it, and this device's network and DNS")
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return kind(f"{way} refuses connections: check that it runs and that the port is right")
        if isinstance(error, httpx.TimeoutException):
            return kind(f"{way} does not answer: check this device's network, a firewall, or HTTPS_PROXY")
        reason = printable(str(causes[-1])) or type(causes[-1]).__name__
        return kind(f"{way} cannot be reached ({reason}): check this device's network, then repeat the same command")

    def _certificate_error(self, error: ssl.SSLCertVerificationError) -> EnrolmentError:
        whose = f"the certificate of the server at {self.address}"
        match error.verify_code:
            case value if value == _EXPIRED:
                return ServerCertificateError(f"{whose} has expired: ask the operator to start the server anew")
            case value if value == _NOT_YET_VALID:
                return ServerCertificateError(
                    f"{whose} does not hold yet: set the clocks of this device and the server"
                )
            case value if value in {_WRONG_HOST, _WRONG_IP}:
                return ServerCertificateError(
                    f"{whose} is for other names: ask the operator to start the server with the name "
                    f"{self.address.host}"
                )
        return InterceptedError(
            f"{whose} is not of this federation ({printable(error.verify_message)}): somebody may be listening, or the "
            "network's own filter opens TLS. Nothing was sent; try another network, or have that host exempted"
        )

    def _check_time_of(self, ca: bytes) -> None:
        """For servers and proxies that tell no time: the CA's own times say when a clock is wrong by far."""
        certificate, now = x509.load_pem_x509_certificate(ca), self._clock()
        if now < certificate.not_valid_before_utc:
            raise ClockError(
                f"this device's clock says {now:%Y-%m-%d %H:%M} UTC, which is before the federation began: set it"
            )
        if now > certificate.not_valid_after_utc:
            raise ServerCertificateError(
                f"the federation's CA expired on {certificate.not_valid_after_utc:%Y-%m-%d}: check this device's "
                "clock, or ask the operator"
            )

    def _no_handfed(self, why: str) -> NoHandfedError:
        return NoHandfedError(
            f"what answers at {self.address} is no Handfed server, or a much older one: {why}; check the address and "
            "the port with the operator"
        )

    def _proxy(self) -> str:
        """The proxy that the environment names for this server, without user and password, or nothing."""
        return proxy_for(self.address)


def check_clock(difference_s: float) -> None:
    """Refuses a clock that Flower's SuperLink would refuse with every message.

    Args:
        difference_s: As of `clock_difference`.

    Raises:
        ClockError: The clock is too far ahead or behind.
    """
    if -CLOCK_BEHIND_S <= difference_s <= CLOCK_AHEAD_S:
        return
    raise ClockError(
        f"this device's clock is {clock_words(difference_s)} the server's: set it "
        "(for example with timedatectl set-ntp true), then repeat the same command"
    )


def clock_words(difference_s: float) -> str:
    """A difference of clocks for people: `1 h 0 min ahead of`."""
    seconds = abs(round(difference_s))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    amount = f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
    return f"{amount} {'ahead of' if difference_s > 0 else 'behind'}"


def proxy_for(address: Address) -> str:
    """The proxy that the environment names for an address, without user and password, or nothing."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(address.host):
        return ""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return printable(f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}")
    except ValueError:
        return "of the environment"


def _untrusting() -> ssl.SSLContext:
    """A TLS context for the one question whose answer is verified by its fingerprint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _difference(response: httpx.Response, sent: datetime, received: datetime) -> float:
    try:
        date = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return 0.0
    return clock_difference(sent, received, date if date.tzinfo else date.replace(tzinfo=UTC))


def _json(response: httpx.Response) -> object:
    try:
        return json.loads(response.content)
    except ValueError:
        return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
