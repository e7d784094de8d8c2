"""TLS towards a federation's server, whose own CA vouches for it, and no other.

Source: RFC 5280; RFC 9525 (which names a certificate must hold).
"""

from __future__ import annotations

import ssl

from handfed.shared.errors import CertificateError


def trusting(ca: bytes) -> ssl.SSLContext:
    """A TLS context that takes what this CA signed for the host that is asked, and nothing else.

    Args:
        ca: The CA's certificate, PEM.

    Raises:
        CertificateError: It is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise CertificateError("the CA's certificate is damaged: restore ca.pem, or join anew") from None
    return context
