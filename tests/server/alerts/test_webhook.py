"""A webhook, over a real HTTP server."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from typing import Any

import pytest

from handfed.server.alerts.texts import trial
from handfed.server.alerts.values import DeliveryError
from handfed.server.alerts.webhook import SIGNATURE, post
from handfed.server.clock import now

SECRET = b"a secret of 32 bytes, or of more"


def send(url: str) -> None:
    post(url, SECRET, (trial(now()),), server="server.example", at=now())


def test_what_is_posted_is_json_signed_with_the_secret(receiver: Any) -> None:
    send(receiver.url)
    ((path, headers, body),) = receiver.posted
    assert path == "/hooks/s3cret-path"
    assert headers["Content-Type"] == "application/json"
    assert headers[SIGNATURE] == f"sha256={hmac.new(SECRET, body, hashlib.sha256).hexdigest()}"
    said = json.loads(body)
    assert (said["version"], said["server"]) == (1, "server.example")
    assert said["alerts"][0]["state"] == "test"


@pytest.mark.usefixtures("trusted")
def test_a_certificate_that_this_machine_trusts_is_good(https: Any) -> None:
    send(https.url)
    assert len(https.posted) == 1


def test_a_certificate_that_nobody_trusts_gets_nothing(https: Any) -> None:
    with pytest.raises(DeliveryError, match=r"cannot be reached: \[SSL: CERTIFICATE_VERIFY_FAILED"):
        send(https.url)
    assert not https.posted


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_host_gets_nothing(another: Any) -> None:
    with pytest.raises(DeliveryError, match="IP address mismatch"):
        send(another.url)
    assert not another.posted


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Any, status: int) -> None:
    receiver.status, receiver.location = status, receiver.url
    with pytest.raises(DeliveryError, match=rf"answered {status}, which leads elsewhere"):
        send(receiver.url)
    assert len(receiver.posted) == 1


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_what_is_refused_was_not_taken(receiver: Any, status: int) -> None:
    receiver.status = status
    with pytest.raises(DeliveryError, match=f"the webhook answered {status}"):
        send(receiver.url)


def test_an_error_names_no_address(receiver: Any) -> None:
    receiver.status = 500
    for url in (receiver.url, "http://127.0.0.1:9/hooks/s3cret-path"):
        with pytest.raises(DeliveryError) as caught:
            send(url)
        assert "s3cret" not in str(caught.value)


def test_no_log_names_the_address(receiver: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):  # as a server's
        send(receiver.url)
    assert "s3cret" not in caplog.text
