"""Keys are written so that they can be read, by who has the passphrase; what is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from handfed.server.registry import keys
from handfed.server.registry.keys import Keyring
from handfed.shared.errors import CertificateError, SettingError, StorageError


@pytest.mark.parametrize("passphrase", [None, "secret", "größer als ASCII"])
def test_a_key_comes_back_as_it_was(passphrase: str | None) -> None:
    signer = keys.make()
    content = keys.encode(signer, passphrase)
    assert keys.is_private(content)
    assert keys.is_encrypted(content) == (passphrase is not None)
    assert keys.decode(content, passphrase).private_bytes == signer.private_bytes
    public = keys.decode_public(keys.encode_public(signer.public_key))
    assert public == signer.public_key


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_wrong_passphrase_is_told_apart_from_what_is_no_key(passphrase: str | None) -> None:
    with pytest.raises(CertificateError, match="passphrase is wrong"):
        keys.decode(keys.encode(keys.make(), "secret"), passphrase)
    with pytest.raises(CertificateError, match="no private key"):
        keys.decode(b"nonsense", passphrase)


def test_a_key_of_another_kind_or_the_other_half_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    private = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(CertificateError, match="another kind"):
        keys.decode(private, None)
    with pytest.raises(CertificateError, match="another kind"):
        keys.decode_public(public)
    with pytest.raises(CertificateError, match="private key: give the public one"):
        keys.decode_public(keys.encode(keys.make(), None))
    with pytest.raises(CertificateError, match="no public key"):
        keys.decode_public(b"nonsense")


def test_a_ring_tells_what_it_has(tmp_path: Path) -> None:
    ring, signer = Keyring(tmp_path / "keys"), keys.make()
    keyid = signer.public_key.keyid
    assert not ring.has(keyid)
    with pytest.raises(StorageError, match="server's user"):
        ring.signer(keyid)
    ring.add(signer)
    assert ring.signer(keyid).private_bytes == signer.private_bytes
    assert ring.path(keyid).stat().st_mode & 0o777 == 0o600
    ring.path(keyid).write_bytes(keys.encode(keys.make(), None))
    with pytest.raises(CertificateError, match="another key than its name says"):
        ring.signer(keyid)
    ring.remove(keyid)
    ring.remove(keyid)
    assert not ring.has(keyid)


def test_a_key_is_named_by_the_beginning_of_its_id() -> None:
    among = ("aabbccddee", "aabbccff00")
    assert keys.chosen("aabbccd", among) == "aabbccddee"
    for unclear in ("aabbcc", "ffffffff", "aabb", ""):
        with pytest.raises(SettingError, match="aabbccddee, aabbccff00"):
            keys.chosen(unclear, among)
