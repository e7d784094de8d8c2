"""Requests to the API, counted and timed by the template of their route.

Rules:
1. No label holds anything that a caller chose: a path that is none of ours is `other`, and so is a method.
2. The time is until the answer begins: a browser may follow a run for hours.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import Scope

NAME: Final = "handfed_http_request_duration_seconds"
OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Requests:
    """Counts and times requests.

    Args:
        registry: Where they are exposed.
        prefix: Under which routes are that do not name it themselves.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self._prefix = prefix
        self._seconds = Histogram(
            NAME,
            "Time until an answer began.",
            labelnames=("method", "route", "status"),
            buckets=_BUCKETS,
            registry=registry,
        )

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Notes a request whose answer has begun.

        Args:
            scope: Of the request, as the app has left it.
            status: Of the answer.
            seconds: Until it began.
        """
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        self._seconds.labels(method, self._route(scope), str(status)).observe(seconds)

    def _route(self, scope: Scope) -> str:
        """The template of the route, such as `/api/v1/devices/{number}`."""
        route = getattr(scope.get("route"), "path", None)
        if isinstance(route, str):
            # FastAPI gives the path as its router has it, without the prefix that the app has added.
            is_below = scope["path"].startswith(f"{self._prefix}/") and not route.startswith(f"{self._prefix}/")
            return self._prefix + route if is_below else route
        mounted = scope.get("root_path")
        return f"{mounted}/{{path}}" if mounted else OTHER
