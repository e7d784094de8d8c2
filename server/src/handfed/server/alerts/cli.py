"""`handfed alerts set|show|test`: who is told, by webhook or mail, what needs a person.

They work on the data directory and the database of the server on this machine, as whoever runs them; the audit log
names their account. A running server takes a change up within a minute.

With `--json`, `show` and `set` print `{"webhook": {"origin", "secret_file", "state"}, "mail": {"to", "from", "server",
"security", "user", "state"}, "away_s": ..., "open": [...]}`, where what is not set is null; `test` prints
`{"taken": {"webhook": null, "mail": "why not"}}`. No secret is in either, nor a webhook's path, which may be one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from handfed.server.alerts.service import AlertRecord
    from handfed.server.alerts.settings import AlertFiles, AlertSettings
    from handfed.server.alerts.values import Channel

commands = typer.Typer(help="Who is told, by webhook or mail, what needs a person.", no_args_is_help=True)
_MOST_SHOWN = 20


@commands.command("set")
def change(
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Where JSON is posted to; '' for nowhere.", show_default=False)
    ] = None,
    webhook_secret_file: Annotated[
        Path | None,
        typer.Option(help="File of what signs. [made where there is none]", exists=True, dir_okay=False),
    ] = None,
    mail: Annotated[
        list[str] | None,
        typer.Option(metavar="TO", help="Who gets mail; may be repeated; '' for nobody.", show_default=False),
    ] = None,
    mail_from: Annotated[
        str | None, typer.Option(help="Whom mail is from. [the first who gets it]", show_default=False)
    ] = None,
    smtp: Annotated[
        str | None, typer.Option(metavar="HOST[:PORT]", help="The mail server. [what it was]", show_default=False)
    ] = None,
    smtp_security: Annotated[
        str | None,
        typer.Option(
            help="starttls (port 587), tls (465), or none (25), for a mail server on this machine. [what it was, or"
            " starttls]",
            show_default=False,
        ),
    ] = None,
    smtp_user: Annotated[
        str | None, typer.Option(help="The account at the mail server; '' for none.", show_default=False)
    ] = None,
    smtp_password_file: Annotated[
        Path | None, typer.Option(help="File of its password. [asked for]", exists=True, dir_okay=False)
    ] = None,
    device_away: Annotated[
        str | None,
        typer.Option(help="How long a device is not heard of until that is told: 24h, 7d. [what it was, or 7d]"),
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Set whom alerts are sent to; what is not named stays."""
    from handfed.server.alerts.settings import AlertFiles
    from handfed.server.durations import duration

    choices = Choices(data_dir, database, as_json)
    files = AlertFiles(choices.directory)
    given: dict[str, Any] = {
        "mail_to": None if mail is None else [each for each in mail if each],
        "mail_from": mail_from,
        "smtp": smtp,
        "smtp_security": smtp_security,
        "smtp_user": smtp_user,
        "webhook": webhook,
        "away_s": None if device_away is None else duration(device_away).total_seconds(),
    }
    before = files.load()
    chosen = _changed(before, {name: value for name, value in given.items() if value is not None})
    secret = None if webhook_secret_file is None else _content(webhook_secret_file)
    password = _password(files, before, chosen, smtp_password_file)
    with choices.open_server() as opened:
        _record_change(opened, chosen)
        files.save(chosen, secret=secret, password=password)
        record = _book(opened, choices.directory)
        _begin_anew(record, before, chosen)
        _show(files, record, as_json=as_json)


@commands.command()
def show(data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Show whom alerts are sent to, how that goes, and what is open."""
    from handfed.server.alerts.settings import AlertFiles

    choices = Choices(data_dir, database, as_json)
    with choices.open_server() as opened:
        _show(AlertFiles(choices.directory), _book(opened, choices.directory), as_json=as_json)


@commands.command("test")
def try_out(data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """Send a test by every channel that is set; exit status 1 where one was not taken."""
    from handfed.server.alerts.courier import deliver
    from handfed.server.alerts.settings import AlertFiles
    from handfed.server.alerts.texts import trial
    from handfed.server.clock import now
    from handfed.server.settings import ServerSettings
    from handfed.shared.errors import HandfedError, SettingError

    settings = ServerSettings.load(data_dir, database)
    files = AlertFiles(settings.data_dir)
    chosen = files.load()
    if not chosen.channels:
        raise SettingError("alerts are sent to nobody yet: handfed alerts set --webhook URL, or --mail TO --smtp HOST")
    taken: dict[str, str | None] = {}
    for channel in sorted(chosen.channels):
        at = now()
        try:
            deliver(channel, chosen, files, (trial(at),), server=settings.address, at=at)
            taken[channel] = None
        except HandfedError as error:
            taken[channel] = str(error)
    if as_json:
        terminal.print_json({"taken": taken})
    else:
        for name, why in taken.items():
            terminal.console().print(f"{name}: {'taken' if why is None else f'not taken: {why}'}")
    raise typer.Exit(int(any(why is not None for why in taken.values())))


def _changed(before: AlertSettings, given: dict[str, Any]) -> AlertSettings:
    """The settings with what was given.

    Raises:
        SettingError: That cannot be.
    """
    from handfed.server.alerts.settings import AlertSettings

    values = before.model_dump()
    if "webhook" in given:
        values["webhook"] = given["webhook"] or None
    if "away_s" in given:
        values["away_s"] = given["away_s"]
    if given.keys() & {"mail_to", "mail_from", "smtp", "smtp_security", "smtp_user"}:
        values["mail"] = _mail(values["mail"] or {}, given)
    return AlertSettings.of(values)


def _mail(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any] | None:
    from handfed.server.alerts.settings import PORTS, host_and_port
    from handfed.shared.errors import SettingError

    recipients = given.get("mail_to", before.get("to"))
    if "mail_to" in given and not recipients:
        return None
    security = given.get("smtp_security", before.get("security", "starttls"))
    if security not in PORTS:
        raise SettingError(f"--smtp-security is one of {', '.join(PORTS)}, not {security!r}")
    if not recipients or not ("smtp" in given or before):
        raise SettingError("mail takes both --mail TO and --smtp HOST")
    if "smtp" in given:
        host, port = host_and_port(given["smtp"], security)
    else:
        host, port = before["host"], PORTS[security] if "smtp_security" in given else before["port"]
    return {
        "to": recipients,
        "sender": given.get("mail_from") or before.get("sender") or recipients[0],
        "host": host,
        "port": port,
        "security": security,
        "user": given.get("smtp_user", before.get("user")) or None,
    }


def _password(files: AlertFiles, before: AlertSettings, chosen: AlertSettings, file: Path | None) -> str | None:
    """The password that is given; None where the one there is stays, or none is wanted."""
    if file is not None:
        return _of_smtp(_content(file).decode("utf-8", "replace"))
    if chosen.mail is None or chosen.mail.user is None:
        return None
    same = before.mail is not None and (before.mail.host, before.mail.port, before.mail.user) == (
        chosen.mail.host,
        chosen.mail.port,
        chosen.mail.user,
    )
    if same and files.password() is not None:
        return None
    return _of_smtp(typer.prompt(f"The password of {chosen.mail.user} at {chosen.mail.host}", hide_input=True))


def _of_smtp(password: str) -> str:
    from handfed.shared.errors import SettingError

    if not password.isascii():
        raise SettingError("the password has characters that SMTP cannot send: set one of ASCII characters")
    return password


def _content(file: Path) -> bytes:
    """A secret in a file, without the end of its line."""
    from handfed.shared.errors import SettingError, StorageError

    try:
        found = file.read_bytes().strip(b"\r\n")
    except OSError as error:
        raise StorageError(f"cannot read {file}: {error.strerror}") from error
    if not found:
        raise SettingError(f"{file} is empty: a secret has a character at least")
    return found


def _book(opened: Any, directory: Path) -> AlertRecord:  # noqa: ANN401 - a database, which is not imported here
    from handfed.server.alerts.service import AlertRecord
    from handfed.server.attention.expiries import Expiries
    from handfed.server.attention.service import AttentionReading

    return AlertRecord(opened, AttentionReading(Expiries(directory)))


def _record_change(opened: Any, chosen: AlertSettings) -> None:  # noqa: ANN401 - likewise
    """Writes who changed what into the audit log, without a secret."""
    from handfed.server.alerts.settings import origin_of
    from handfed.server.audit import service as audit
    from handfed.server.clock import now
    from handfed.server.people.principals import at_the_console

    detail = {
        "webhook": origin_of(chosen.webhook),
        "mail": None if chosen.mail is None else {"recipients": len(chosen.mail.to), "server": chosen.mail.host},
        "away_s": chosen.away_s,
    }
    with opened.write() as session:
        audit.record(session, now(), at_the_console(), "set", "alerts", detail=detail)


def _begin_anew(record: AlertRecord, before: AlertSettings, chosen: AlertSettings) -> None:
    """Has whoever is told from now on be told of all that is open, and tries what failed at once."""
    recipients = [None if each.mail is None else each.mail.to for each in (before, chosen)]
    others: list[tuple[Channel, bool]] = [
        ("webhook", before.webhook != chosen.webhook),
        ("mail", recipients[0] != recipients[1]),
    ]
    for channel, is_other in others:
        if is_other:
            record.begin_anew(channel)
        else:
            record.try_at_once(channel)


def _show(files: AlertFiles, record: AlertRecord, *, as_json: bool) -> None:
    from handfed.server.alerts.settings import origin_of
    from handfed.server.alerts.texts import sentence

    settings, console = files.load(), terminal.console()
    mail = settings.mail
    if as_json:
        webhook = {"origin": origin_of(settings.webhook), "secret_file": str(files.secret_path)}
        sent = (
            None
            if mail is None
            else {
                "to": list(mail.to),
                "from": mail.sender,
                "server": f"{mail.host}:{mail.port}",
                "security": mail.security,
                "user": mail.user,
                "state": record.state("mail"),
            }
        )
        document = {
            "webhook": None if settings.webhook is None else webhook | {"state": record.state("webhook")},
            "mail": sent,
            "away_s": settings.away_s,
            "open": record.open(),
        }
        terminal.print_json(document)
        return
    rows = [("devices", f"told of when not heard of for {settings.away}")]
    if settings.webhook is not None:
        rows += [("webhook", f"{origin_of(settings.webhook)}/…"), ("", _going(record, "webhook"))]
        rows += [("signed by", f"the secret in {files.secret_path}")]
    if mail is not None:
        server = f"{mail.host}:{mail.port} ({mail.security}{'' if mail.user is None else f', as {mail.user}'})"
        rows += [("mail", f"to {', '.join(mail.to)}"), ("", _going(record, "mail")), ("mail server", server)]
    if not settings.channels:
        rows += [("sent to", "nobody: handfed alerts set --webhook URL, or --mail TO --smtp HOST")]
    terminal.print_section(console, "Alerts", rows)
    opened = record.open()
    console.print(f"\n{len(opened)} open" if settings.channels else "")
    for each in opened[:_MOST_SHOWN]:
        console.print(f"- {sentence(each)}")


def _going(record: AlertRecord, channel: Channel) -> str:
    state = record.state(channel)
    if state.error is not None:
        return f"{state.error} (failures: {state.failures}, last {wording.moment(state.tried_at)})"
    waits = f", {state.waiting} waiting" if state.waiting else ""
    return f"last told {wording.moment(state.delivered_at)}{waits}" if state.delivered_at else f"not told yet{waits}"
