r"""What a device signs to change its key: with the old key and with the new one, the same bytes.

    handfed key rotation 1\n
    <number of the device>\n
    <SHA-256 of the old public key's SubjectPublicKeyInfo (DER), lower-case hex>\n
    <SHA-256 of the new public key's SubjectPublicKeyInfo (DER), lower-case hex>\n

The old key's signature shows that it is the device which asks; the new key's, that the device holds the new key and
names nobody else's. The old key must be the one that the device has now, and no key ever comes back, so a message works
once. Signatures are ECDSA over SHA-384 (FIPS 186-5), DER, in base64.
"""

from __future__ import annotations


def rotation_message(device: int, old_fingerprint: str, new_fingerprint: str) -> bytes:
    """The bytes to sign.

    Args:
        device: Number of the device.
        old_fingerprint: SHA-256 of the DER of the key that the device has now, 64 lower-case hex digits.
        new_fingerprint: The same of the key that it wants.
    """
    return f"handfed key rotation 1\n{device}\n{old_fingerprint}\n{new_fingerprint}\n".encode("ascii")
