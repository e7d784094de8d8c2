"""Writes that may be sent again: with the same `Idempotency-Key`, the same request is done once.

Rules:
1. A key belongs to a token, to a browser's session, or to everybody who has neither, and to one request: method, path,
   query and body. The same request gets the same answer; another request with the key is refused.
2. An answer is kept for 24 hours, and only of what was done (2xx): what was refused or failed changed nothing and may
   be tried again.
3. While a request is under way its key is busy. It stays so when the server is killed meanwhile: whether the change was
   made is not known, and it is not made twice.
4. An answer may hold a secret that is shown once. So it is sealed with a key made of what only the caller has (their
   token or session's secret, or where there is none the body, and the idempotency key); the database has hashes of
   those alone. That is why a session's keys are its own: it cannot make the seal of its token, nor of another session.

Source: draft-ietf-httpapi-idempotency-key-header-07; AES-256-GCM (NIST SP 800-38D), HMAC (RFC 2104).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete

from handfed.server.api.errors import BusyKeyError, ReusedKeyError
from handfed.server.api.models import IdempotencyRow
from handfed.server.clock import Clock, now
from handfed.server.credentials import RandomBytes
from handfed.server.database import Database, unique
from handfed.shared.errors import ConflictError

KEPT_FOR: Final = timedelta(hours=24)
_NONCE_BYTES: Final = 12


@dataclass(frozen=True)
class Answer:
    """A response, as it was sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Named:
    """A request with an idempotency key.

    Attributes:
        name: Hash of who asks and of the key.
        request: Hash of what is asked for.
        seal: 32 bytes that only who asks can make again.
    """

    name: str
    request: str
    seal: bytes = field(repr=False)

    @classmethod
    def of(cls, actor: str, key: str, request: tuple[str, str], body: bytes, secret: bytes) -> Named:
        """Names a request.

        Args:
            actor: Who asks, such as `token/3`; who shows another secret is another.
            key: Their idempotency key.
            request: The method, and the path with its query.
            body: The body.
            secret: What only they have.
        """
        name = hashlib.sha256(json.dumps([actor, key]).encode()).hexdigest()
        asked = hashlib.sha256(json.dumps(request).encode() + b"\n" + body).hexdigest()
        return cls(name, asked, hmac.digest(secret, b"handfed idempotency 1\n" + key.encode(), "sha256"))


class Idempotency:
    """Remembers what was asked for and what was answered.

    Every method raises a `StorageError` when the database cannot be read or written.

    Args:
        database: Where that is kept.
        clock: Tells the time.
        random_bytes: Makes nonces.
    """

    def __init__(self, database: Database, clock: Clock = now, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        self._database = database
        self._clock = clock
        self._random_bytes = random_bytes

    def begin(self, named: Named) -> Answer | None:
        """Notes that a request begins.

        Returns:
            The answer that it got before; None where it is new, and then is to be done, and to be kept or released.

        Raises:
            ReusedKeyError: The key came with another request before.
            BusyKeyError: The request is under way, or was cut off, or its answer cannot be opened.
        """
        try:
            with self._database.write() as session:
                moment = self._clock()
                session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at <= moment - KEPT_FOR))
                row = session.get(IdempotencyRow, named.name)
                if row is None:
                    session.add(IdempotencyRow(name=named.name, request=named.request, created_at=moment))
                    with unique("another request took this key at the same moment"):
                        session.flush()
                    return None
                asked, sealed = row.request, row.answer
        except ConflictError as error:
            raise _busy() from error
        if not hmac.compare_digest(asked, named.request):
            raise ReusedKeyError("this Idempotency-Key came with another request before: take a new one")
        if sealed is None:
            raise _busy()
        return _opened(sealed, named)

    def keep(self, named: Named, answer: Answer) -> None:
        """Keeps the answer to a request."""
        nonce = self._random_bytes(_NONCE_BYTES)
        body = base64.b64encode(answer.body).decode("ascii")
        text = json.dumps({"status": answer.status, "headers": answer.headers, "body": body}).encode()
        sealed = nonce + AESGCM(named.seal).encrypt(nonce, text, named.name.encode())
        with self._database.write() as session:
            row = session.get(IdempotencyRow, named.name)
            if row is not None:
                row.answer = sealed

    def release(self, named: Named) -> None:
        """Forgets a request that changed nothing."""
        with self._database.write() as session:
            session.execute(delete(IdempotencyRow).where(IdempotencyRow.name == named.name))


def _busy() -> BusyKeyError:
    return BusyKeyError(
        "a request with this Idempotency-Key is under way, or was cut off: look whether it was done before you send it "
        "with a new key"
    )


def _opened(sealed: bytes, named: Named) -> Answer:
    try:
        text = AESGCM(named.seal).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], named.name.encode())
    except InvalidTag as error:  # sealed with another secret, or damaged: it was done all the same, and not again
        raise BusyKeyError(
            "the answer to this Idempotency-Key cannot be opened: look whether it was done before you send it with a "
            "new key"
        ) from error
    read = json.loads(text)
    headers = tuple((name, value) for name, value in read["headers"])
    return Answer(read["status"], headers, base64.b64decode(read["body"]))
