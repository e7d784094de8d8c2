"""What is exposed, in the format that a scraper asks for.

Names follow Prometheus' conventions: base units, `_total` for what only grows, `_ratio` from 0 to 1, and
`_timestamp_seconds` since 1970 for a time. docs/metrics.md is the table of them.

Source: https://prometheus.io/docs/practices/naming/ and the OpenMetrics specification 1.0.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from handfed.server.attention.values import KINDS, Expiry
from handfed.server.metrics.figures import NOT_BEGUN, Figures, FiguresReading, ReleaseFigures
from handfed.server.metrics.requests import Requests
from handfed.shared.promotion.rules import Phase
from handfed.shared.wire import Reason

_STATUSES = ("queued", "running", "done", "failed", "stopped")


class Exposition:
    """What a server exposes.

    Attributes:
        requests: Is told of requests.

    Args:
        figures: Of the record.
        prefix: Of the API's routes.
    """

    def __init__(self, figures: FiguresReading, prefix: str) -> None:
        # When each series began: twice as many series, and nobody asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_Record(figures))
        self.requests = Requests(self._registry, prefix)
        ProcessCollector(registry=self._registry)

    def encoded(self, accept: str) -> tuple[bytes, str]:
        """The metrics, and their media type.

        Args:
            accept: The header of the request, which says what the scraper reads.

        Raises:
            StorageError: The database cannot be read.
        """
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Record(Collector):
    """Figures of the record as metrics."""

    def __init__(self, figures: FiguresReading) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        figures = self._figures.read()
        yield _build()
        yield from _devices(figures)
        yield from _runs(figures)
        yield from _rounds(figures)
        yield from _releases(figures.releases, figures.champions)
        yield from _expiries(figures.expiries)
        yield _attention(figures)


def _build() -> Metric:
    found = {
        "version": version("handfed-server"),
        "flower_version": version("flwr"),
        "python_version": platform.python_version(),
    }
    return InfoMetricFamily("handfed_build", "Versions of the software.", value=found)


def _devices(figures: Figures) -> Iterator[Metric]:
    devices, tasks = figures.overview.devices, {each.number: each.task for each in figures.releases}
    yield _gauge(
        "handfed_devices", "Devices on record.", "state", {"enrolled": devices.enrolled, "revoked": devices.revoked}
    )
    yield GaugeMetricFamily("handfed_devices_online", "Devices heard of within a minute.", devices.online)
    yield GaugeMetricFamily("handfed_devices_away", "Devices not heard of for a week.", devices.away)
    using = GaugeMetricFamily(
        "handfed_devices_using_release", "Devices that read with a release, as they report.", labels=("task", "release")
    )
    for number, count in sorted(figures.using.items()):
        if number in tasks:  # a device may report what it likes
            using.add_metric((tasks[number], str(number)), count)
    yield using


def _runs(figures: Figures) -> Iterator[Metric]:
    counts = dict.fromkeys(_STATUSES, 0) | dict(figures.runs)
    yield _gauge("handfed_runs", "Runs on record.", "status", counts)
    run = figures.overview.run
    if run is None:
        return
    about = {"run": str(run.id), "task": run.task, "status": run.status}
    yield InfoMetricFamily("handfed_run", "The run that goes on, or else the newest.", value=about)
    yield GaugeMetricFamily("handfed_run_rounds", "Rounds of that run on record.", run.rounds)
    if run.planned is not None:
        yield GaugeMetricFamily("handfed_run_planned_rounds", "Rounds it has at most.", run.planned)
    if run.accuracy is not None:
        yield GaugeMetricFamily("handfed_run_accuracy_ratio", "Held-out accuracy after its last round.", run.accuracy)


def _rounds(figures: Figures) -> Iterator[Metric]:
    rounds = figures.rounds
    yield CounterMetricFamily("handfed_rounds", "Rounds on record.", rounds.rounds)
    yield SummaryMetricFamily(
        "handfed_round_duration_seconds", "How long rounds took.", count_value=rounds.timed, sum_value=rounds.seconds
    )
    yield CounterMetricFamily("handfed_updates_accepted", "Updates of devices that were used.", rounds.accepted)
    rejected = CounterMetricFamily(
        "handfed_updates_rejected", "Replies of devices that were not used.", labels=("reason",)
    )
    # Prometheus sees no increase in a series that begins at its first count, so all are there before.
    for reason, count in sorted((dict.fromkeys(map(str, Reason), 0) | dict(figures.rejected)).items()):
        rejected.add_metric((reason,), count)
    yield rejected
    yield CounterMetricFamily("handfed_round_sent_bytes", "Bytes sent to devices in rounds.", rounds.bytes_down)
    yield CounterMetricFamily("handfed_round_received_bytes", "Bytes of devices' updates.", rounds.bytes_up)


def _releases(releases: Iterable[ReleaseFigures], champions: Mapping[str, int]) -> Iterator[Metric]:
    releases = tuple(releases)
    phases = dict.fromkeys((NOT_BEGUN, *map(str, Phase)), 0)
    for each in releases:
        phases[each.phase] = phases.get(each.phase, 0) + 1
    yield _gauge("handfed_releases", "Releases on record, by how far they have come.", "phase", phases)
    newest = {each.task: each for each in releases}  # in order of number
    used = {task: each for each in releases for task, number in champions.items() if number == each.number}
    yield from _named("newest", "The newest release", newest)
    yield from _named("champion", "The release that devices use", used)
    created = {task: each.created_at.timestamp() for task, each in newest.items()}
    name, words = "handfed_newest_release_created_timestamp_seconds", "When the newest release was published."
    yield _gauge(name, words, "task", created)


def _named(which: str, words: str, releases: Mapping[str, ReleaseFigures]) -> Iterator[Metric]:
    numbers = {task: each.number for task, each in releases.items()}
    accuracies = {task: each.accuracy for task, each in releases.items() if each.accuracy is not None}
    sizes = {task: each.size_bytes for task, each in releases.items()}
    yield _gauge(f"handfed_{which}_release", f"{words}: its number.", "task", numbers)
    yield _gauge(f"handfed_{which}_release_accuracy_ratio", f"{words}: held-out accuracy.", "task", accuracies)
    yield _gauge(f"handfed_{which}_release_size_bytes", f"{words}: size of its model.", "task", sizes)


def _expiries(expiries: Iterable[Expiry]) -> Iterator[Metric]:
    ends = {"certificate-ends": "certificate", "registry-ends": "role"}
    for kind, label in ends.items():
        found = {each.name: each.at.timestamp() for each in expiries if each.kind == kind}
        name = f"handfed_{kind.removesuffix('-ends')}_expiry_timestamp_seconds"
        yield _gauge(name, f"When what the {label} names ends.", label, found)


def _attention(figures: Figures) -> Metric:
    counts = dict.fromkeys(KINDS, 0) | dict(figures.attention) | {"device-away": figures.overview.devices.away}
    return _gauge("handfed_attention", "What needs a person, by kind.", "kind", counts)


def _gauge(name: str, words: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    made = GaugeMetricFamily(name, words, labels=(label,))
    for value, figure in values.items():
        made.add_metric((value,), figure)
    return made
