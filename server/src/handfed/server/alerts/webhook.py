"""A webhook: JSON, posted and signed.

    X-Handfed-Signature: sha256=<HMAC-SHA256 of the body under the webhook's secret, lower-case hex>

Rules:
1. The receiver's certificate is checked against the CAs that this machine trusts (`SSL_CERT_FILE` names others).
2. A redirect is a failure: what was signed for one address goes to no other.
3. Of the answer only the status counts; its body is not read.

Source: RFC 2104 (HMAC); what GitHub's webhooks call `X-Hub-Signature-256` has the same form.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import ssl
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Final

import httpx

from handfed.server.alerts.texts import as_json
from handfed.server.alerts.values import DeliveryError, Message

SIGNATURE: Final = "X-Handfed-Signature"
TIMEOUT_S: Final = 10.0
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells each address in full, and that is the secret


def signature(body: bytes, secret: bytes) -> str:
    """What the header says of a body."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


def post(url: str, secret: bytes, messages: Sequence[Message], *, server: str, at: datetime) -> None:
    """Tells a webhook.

    Args:
        url: Its address.
        secret: What signs.
        messages: What it is told.
        server: What devices call the server.
        at: The time.

    Raises:
        DeliveryError: It did not take them.
    """
    body = as_json(messages, server, at)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"handfed/{version('handfed-server')}",
        SIGNATURE: signature(body, secret),
    }
    try:
        with (
            httpx.Client(verify=ssl.create_default_context(), timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            status = answer.status_code
    except httpx.ConnectError as error:  # its words name neither the address nor an account
        raise DeliveryError(f"the webhook cannot be reached: {error}") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        raise DeliveryError(f"the webhook did not answer as it should: {type(error).__name__}") from None
    if httpx.codes.is_redirect(status):
        raise DeliveryError(f"the webhook answered {status}, which leads elsewhere: name that address itself")
    if not httpx.codes.is_success(status):
        raise DeliveryError(f"the webhook answered {status}")
