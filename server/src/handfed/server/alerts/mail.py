"""Mail, by the mail server of an organisation.

Rules:
1. The connection is encrypted, and the mail server's certificate checked against the CAs that this machine trusts, but
   for `none`, which is for a mail server on the same machine; an account is never used there.
2. A mail that one recipient gets was delivered; who else was refused is the mail server's to tell.

Source: RFC 5321, RFC 3207 (STARTTLS), RFC 8314 (TLS from the first byte), RFC 3834 (`Auto-Submitted`).
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Final

from handfed.server.alerts.settings import MailSettings
from handfed.server.alerts.texts import as_text, headline
from handfed.server.alerts.values import DeliveryError, Message

TIMEOUT_S: Final = 10.0


def send(
    settings: MailSettings, password: str | None, messages: Sequence[Message], *, server: str, at: datetime
) -> None:
    """Sends a mail.

    Args:
        settings: How.
        password: Of the account.
        messages: What it tells.
        server: What devices call the server.
        at: The time.

    Raises:
        DeliveryError: The mail server did not take it.
    """
    mail = composed(settings, messages, server=server, at=at)
    try:
        with _connected(settings) as smtp:
            if settings.user is not None:
                smtp.login(settings.user, password or "")
            smtp.send_message(mail, settings.sender, settings.to)
    except smtplib.SMTPRecipientsRefused:
        raise DeliveryError("the mail server refuses every recipient") from None
    except smtplib.SMTPResponseException as error:  # its words may quote an address
        raise DeliveryError(f"the mail server answered {error.smtp_code} ({type(error).__name__})") from None
    except ssl.SSLError as error:
        raise DeliveryError(f"the mail server's encryption cannot be used: {error.reason or 'it failed'}") from None
    except UnicodeError:
        raise DeliveryError(
            "the mail server's name, the account or its password has characters that SMTP has not"
        ) from None
    except OSError as error:  # a mail that cannot be sent is one, too
        raise DeliveryError(f"the mail server cannot be used: {error.strerror or type(error).__name__}") from None


def composed(settings: MailSettings, messages: Sequence[Message], *, server: str, at: datetime) -> EmailMessage:
    """The mail."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = settings.sender, ", ".join(settings.to)
    mail["Subject"], mail["Date"] = headline(messages, server), format_datetime(at)
    mail["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(messages, server) + "\n", cte="quoted-printable")  # which every mail server takes
    return mail


def _connected(settings: MailSettings) -> smtplib.SMTP:
    if settings.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT_S, context=context)
    made = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT_S)
    if settings.security == "starttls":
        try:
            made.starttls(context=ssl.create_default_context())
        except BaseException:
            made.close()
            raise
    return made
