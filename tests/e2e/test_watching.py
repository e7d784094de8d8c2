"""A real server, looked at from elsewhere: scraped by HTTPS, and telling a webhook of this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from handfed.server.database import open_database
from handfed.server.runs.schemas import RunStart
from handfed.server.runs.service import RunRecord
from handfed.shared.data_directory import database_url

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # of a busy machine, whose imports take minutes
START = RunStart("digits", "cnn", "fedavg", 7, {}, 3, "federation")


@dataclass
class Hook:
    """What a webhook was told."""

    url: str = ""
    told: list[tuple[str, bytes]] = field(default_factory=list)

    def alerts(self) -> list[tuple[str, str]]:
        found = [alert for _, body in self.told for alert in json.loads(body)["alerts"]]
        return [(alert["state"], alert["subject"]) for alert in found]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.told.append((self.headers["X-Handfed-Signature"], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def fail_a_run(data: Path) -> int:
    with open_database(database_url(data, None)) as database:
        record = RunRecord(database)
        run = record.start(START)
        record.fail(run, "it broke")
        return run


def scraped(federation: Any, token: str) -> str:
    context = ssl.create_default_context(cafile=str(federation.data / "authority" / "ca.pem"))
    url = f"https://127.0.0.1:{federation.port}/metrics"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:  # noqa: S310 - of https
        return str(answer.read().decode())


def test_a_failed_run_is_told_once_over_a_restart_and_a_scrape_counts_it(federation: Any, hook: Hook) -> None:
    first = fail_a_run(federation.data)
    federation.handfed("alerts", "set", "--webhook", hook.url, "--data-dir", federation.data)
    federation.serve()
    federation.until(lambda: hook.told, "alert")
    assert hook.alerts() == [("began", f"run/{first}")]
    sent, body = hook.told[0]
    secret = (federation.data / "alerts" / "webhook-secret").read_bytes()
    assert sent == f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"

    token = federation.answer("tokens", "add", "Prometheus", "--data-dir", federation.data)["secret"]
    found = {
        (sample.name, sample.labels.get("kind") or sample.labels.get("role") or sample.labels.get("certificate"))
        for family in text_string_to_metric_families(scraped(federation, token))
        for sample in family.samples
        if sample.value
    }
    assert ("handfed_attention", "run-failed") in found
    assert ("handfed_registry_expiry_timestamp_seconds", "timestamp") in found
    assert ("handfed_certificate_expiry_timestamp_seconds", "server") in found
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        scraped(federation, "hf_unknown")
    refused.value.close()

    assert federation.end("server") == 0
    second = fail_a_run(federation.data)
    federation.serve()
    federation.until(lambda: len(hook.told) > 1, "second alert")
    assert hook.alerts() == [("began", f"run/{first}"), ("began", f"run/{second}")]
    assert federation.end("server") == 0
    log = federation.log("server")
    assert secret.decode() not in log
    assert token not in log
