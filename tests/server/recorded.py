"""Devices and releases on record, as enrolment and publication leave them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from handfed.server.devices.keys import PublicKey
from handfed.server.devices.models import DeviceKeyRow, DeviceRow
from handfed.server.releases.models import Release

AT = datetime(2026, 5, 6, 12, tzinfo=UTC)


def enrol(session: Session, number: int, pem: str | None = None, *, at: datetime = AT) -> None:
    """Puts a device of the first organisation on record, with a key; one that signs nothing, unless it is given."""
    session.add(
        DeviceRow(number=number, organisation=1, name=f"room {number}", state="enrolled", versions={}, enrolled_at=at)
    )
    session.flush()
    give_key(session, number, pem, at=at)


def give_key(
    session: Session,
    device: int,
    pem: str | None = None,
    *,
    fingerprint: str | None = None,
    node_id: int | None = None,
    at: datetime = AT,
) -> None:
    """Gives a device a key, under the node number 1000 and its own unless another is given."""
    session.add(
        DeviceKeyRow(
            device=device,
            fingerprint=fingerprint or (PublicKey.parse(pem).fingerprint if pem else f"{device:064x}"),
            public_key=pem or "none",
            node_id=1000 + device if node_id is None else node_id,
            wanted=True,
            settled=True,
            created_at=at,
        )
    )


def publish(session: Session, number: int, *, run: int | None = None, task: str = "digits", at: datetime = AT) -> None:
    """Puts a release on record, whose directory is not there."""
    session.add(
        Release(
            number=number,
            run_id=run,
            task=task,
            recogniser="cnn",
            path=f"{number:04d}",
            sha256="0" * 64,
            size_bytes=1,
            manifest={},
            created_at=at,
        )
    )
