"""How often an address may try something in a minute.

Counts are kept in memory: they matter for a minute, and a restart that forgets them costs nothing, as nobody guesses a
secret of 256 bits. What the limit saves is the server's time. An IPv6 address counts as its network of 64 bits, which
is what one customer has.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from handfed.shared.errors import TooManyAttemptsError

PER_MINUTE: Final = 30  # a school enrols its devices from one address
_WINDOW_S: Final = 60.0
_MOST_ADDRESSES: Final = 10_000


class Attempts:
    """Counts attempts by address, in windows of a minute that begin with an address's first attempt.

    Args:
        per_minute: How many are let through in a window.
        clock: Seconds, from any moment on.
    """

    def __init__(self, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}  # by address: when it began, and attempts since
        self._lock = threading.Lock()

    def count(self, address: str) -> None:
        """Counts an attempt.

        Raises:
            TooManyAttemptsError: There were too many from this address within the minute.
        """
        network, moment = _network(address), self._clock()
        with self._lock:
            began, attempts = self._windows.get(network, (moment, 0))
            if moment - began >= _WINDOW_S:
                began, attempts = moment, 0
            if attempts >= self._per_minute:
                wait_s = max(1, math.ceil(_WINDOW_S - (moment - began)))
                raise TooManyAttemptsError(f"too many attempts from this address: wait {wait_s} seconds", wait_s)
            self._make_room(network, moment)
            self._windows[network] = (began, attempts + 1)

    def _make_room(self, network: str, moment: float) -> None:
        """Forgets windows that are over, and then, where there are still too many addresses, the oldest."""
        if network in self._windows or len(self._windows) < _MOST_ADDRESSES:
            return
        kept = {key: window for key, window in self._windows.items() if moment - window[0] < _WINDOW_S}
        self._windows = dict(sorted(kept.items(), key=lambda item: item[1][0])[-_MOST_ADDRESSES + 1 :])


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    mapped = ip.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
