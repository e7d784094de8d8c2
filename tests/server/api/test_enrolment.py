"""A device's way in, over HTTP."""

from __future__ import annotations

import base64
import hashlib
import ssl
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handfed.server.registry.files import registry_in
from handfed.server.registry.service import Registry
from handfed.shared.enrolment import EnrolmentAnswer, EnrolmentRequest, enrolment_statement
from handfed.shared.invitation import Invitation
from handfed.shared.key_rotation import rotation_message


def _fingerprint(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _signed(key: ec.EllipticCurvePrivateKey, message: bytes) -> str:
    return base64.b64encode(key.sign(message, ec.ECDSA(hashes.SHA384()))).decode()


def test_from_an_invitation_to_a_device_that_has_replaced_its_key(world: Any) -> None:
    wanted = {"organisation": 1, "max_samples": 500, "expires_in_s": 3600, "name": "Room 12"}
    new = world.ask("own operator", "POST", "/api/v1/invitations", json=wanted)
    assert new.status_code == 201
    invitation = Invitation.decode(new.json()["code"])
    assert invitation.address == "server.example"

    certificate = world.client.get("/api/v1/authority")
    assert certificate.headers["content-type"].startswith("application/pem-certificate-chain")
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.text)).digest() == invitation.fingerprint

    old, fresh = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
    request = EnrolmentRequest(
        secret=invitation.secret.hex(),
        public_key=_pem(old),
        name=None,
        versions={"handfed": "0.1.0"},
        proof=_signed(old, enrolment_statement(invitation.fingerprint, invitation.secret, _pem(old))),
    )
    body = request.as_json()
    device = world.client.post("/api/v1/enrolments", json=body)
    assert device.status_code == 201
    number = device.json()["number"]
    assert EnrolmentAnswer.from_json(device.json()) == EnrolmentAnswer(number, "Room 12", "Own", 500, None)
    registry = Registry(registry_in(world.settings.data_dir))
    registry.ensure()
    again = EnrolmentAnswer.from_json(world.client.post("/api/v1/enrolments", json=body).json())
    assert again == EnrolmentAnswer(number, "Room 12", "Own", 500, registry.root().decode())
    assert (device.json()["name"], device.json()["max_samples"]) == ("Room 12", 500)
    assert device.json()["fingerprint"] == _fingerprint(old)

    message = rotation_message(number, _fingerprint(old), _fingerprint(fresh))
    signatures = {"old_signature": _signed(old, message), "new_signature": _signed(fresh, message)}
    url = f"/api/v1/devices/{number}/rotate"
    rotated = world.client.post(url, json={"public_key": _pem(fresh), **signatures})
    assert rotated.status_code == 200
    assert rotated.json()["fingerprint"] == _fingerprint(fresh)
    assert world.ask("own viewer", "GET", f"/api/v1/devices/{number}").json().items() <= rotated.json().items()
    assert EnrolmentAnswer.from_json(rotated.json()).organisation_name == "Own"
    assert EnrolmentAnswer.from_json(rotated.json()).registry_root == registry.root().decode()

    swapped = {"old_signature": signatures["new_signature"], "new_signature": signatures["old_signature"]}
    refused = world.client.post(url, json={"public_key": _pem(ec.generate_private_key(ec.SECP384R1())), **swapped})
    assert (refused.status_code, refused.json()["type"]) == (403, "/api/v1/problems/rotation-refused")


def test_a_node_id_keeps_all_its_digits(world: Any) -> None:
    assert world.ask("own viewer", "GET", "/api/v1/devices/1").json()["node_id"] == str(2**63)


def test_without_a_certificate_nobody_is_invited(world: Any) -> None:
    world.settings.authority.unlink()
    before = world.ask("own operator", "GET", "/api/v1/invitations").json()
    assert world.ask("own operator", "POST", "/api/v1/invitations", json={"organisation": 1}).status_code == 503
    assert world.client.get("/api/v1/authority").status_code == 503
    assert world.ask("own operator", "GET", "/api/v1/invitations").json() == before
