"""Mail, over a real SMTP server."""

from __future__ import annotations

from typing import Any

import pytest

from handfed.server.alerts.mail import send
from handfed.server.alerts.settings import MailSettings
from handfed.server.alerts.texts import trial
from handfed.server.alerts.values import DeliveryError
from handfed.server.clock import now

PASSWORD = "correct horse"  # noqa: S105 - as the server of the test has it


def settings(box: Any, **more: Any) -> MailSettings:
    given = {"to": ("ada@example.org", "ed@example.org"), "sender": "handfed@example.org", "host": "127.0.0.1"}
    return MailSettings.model_validate(given | {"port": box.port, "security": "none"} | more)


def deliver(chosen: MailSettings, password: str | None = None) -> None:
    send(chosen, password, (trial(now()),), server="server.example", at=now())


def test_a_mail_says_what_it_is_to_everybody_who_is_to_get_it(mailbox: Any) -> None:
    deliver(settings(mailbox))
    (mail,) = mailbox.mails
    assert mailbox.recipients == [["ada@example.org", "ed@example.org"]]
    assert (mail["From"], mail["Auto-Submitted"]) == ("handfed@example.org", "auto-generated")
    assert mail["Subject"] == "Handfed server.example: test"
    assert "This is a test" in mail.get_content()
    assert mail["Message-ID"].endswith("@example.org>")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted(open_mailbox: Any, security: str) -> None:
    box = open_mailbox(security)
    deliver(settings(box, security=security))
    assert box.encrypted == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_server_that_nobody_trusts_gets_nothing(open_mailbox: Any, security: str) -> None:
    box = open_mailbox(security)
    with pytest.raises(DeliveryError, match="encryption cannot be used: CERTIFICATE_VERIFY_FAILED"):
        deliver(settings(box, security=security, user="ada"), PASSWORD)
    assert (box.mails, box.accounts) == ([], [])


def test_a_mail_server_without_tls_gets_nothing_where_tls_is_asked_for(mailbox: Any) -> None:
    with pytest.raises(DeliveryError, match="SMTPNotSupportedError"):
        deliver(settings(mailbox, security="starttls"))
    assert not mailbox.mails


@pytest.mark.usefixtures("trusted")
def test_an_account_is_used_with_its_password(open_mailbox: Any) -> None:
    box = open_mailbox("starttls")
    deliver(settings(box, security="starttls", user="ada"), PASSWORD)
    assert box.accounts == [b"ada"]
    assert len(box.mails) == 1


@pytest.mark.usefixtures("trusted")
def test_a_wrong_password_is_told_without_it(open_mailbox: Any) -> None:
    box = open_mailbox("starttls")
    with pytest.raises(DeliveryError, match="answered 535") as caught:
        deliver(settings(box, security="starttls", user="ada"), "wrong horse")
    assert "horse" not in str(caught.value)
    assert "ada" not in str(caught.value)


@pytest.mark.usefixtures("trusted")
def test_a_password_that_smtp_cannot_send_is_told_without_it(open_mailbox: Any) -> None:
    box = open_mailbox("starttls")
    with pytest.raises(DeliveryError, match="characters that SMTP has not") as caught:
        deliver(settings(box, security="starttls", user="ada"), "p\u00e4ss")
    assert "\u00e4" not in str(caught.value)


def test_a_mail_is_of_seven_bits(mailbox: Any) -> None:
    deliver(settings(mailbox))
    assert b"Content-Transfer-Encoding: quoted-printable" in bytes(mailbox.mails[0])


@pytest.mark.parametrize("answer", ["451 later", "554 ed@example.org is unknown"])
def test_what_the_mail_server_refuses_was_not_taken(mailbox: Any, answer: str) -> None:
    mailbox.answer = answer
    with pytest.raises(DeliveryError, match=rf"answered {answer[:3]}") as caught:
        deliver(settings(mailbox))
    assert "ed@" not in str(caught.value)


def test_a_mail_server_that_is_away_is_told(mailbox: Any) -> None:
    mailbox.port = 9
    with pytest.raises(DeliveryError, match="cannot be used: Connection refused"):
        deliver(settings(mailbox))
