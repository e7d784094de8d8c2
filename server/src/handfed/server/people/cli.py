"""`handfed organisations` and `handfed tokens`: who takes part, and who may do what.

They work on the database of the server on this machine, as whoever runs them; the audit log names their account.

`handfed organisations list --json` prints `{"organisations": [{number, name, created_at}, ...]}`; `add` and `rename`
print `{"organisation": {...}}`.
`handfed tokens list --json` prints `{"tokens": [{number, name, role, organisation, created_at, expires_at,
last_used_at, revoked_at}, ...]}`; `revoke` prints `{"token": {...}}`, and `add` also the `secret`, which is shown once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from handfed.server.people.values import Organisation, Token

organisations = typer.Typer(help="Schools and clinics that take part.", no_args_is_help=True)
tokens = typer.Typer(help="Tokens: who may use the control API, and for what.", no_args_is_help=True)
OrganisationNumber = Annotated[int, typer.Argument(help="Number of the organisation.", show_default=False)]
OrganisationName = Annotated[str, typer.Argument(help="Its name, such as 'Clinic North'.", show_default=False)]
TokenNumber = Annotated[int, typer.Argument(help="Number of the token.", show_default=False)]


@organisations.command("list")
def list_organisations(data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the organisations."""
    from handfed.server.paging import ALL
    from handfed.server.people.organisations import Organisations
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        found = Organisations(opened).list(at_the_console(), ALL).items
    if as_json:
        terminal.print_json({"organisations": found})
    elif not found:
        terminal.console().print("There is no organisation yet: `handfed invite NAME` makes one.")
    else:
        table = terminal.table("Number", "Organisation", "Added", right=("Number",), whole=("Added",))
        for one in found:
            table.add_row(str(one.number), one.name, wording.moment(one.created_at))
        terminal.console().print(table)


@organisations.command("add")
def add_organisation(
    name: OrganisationName, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Add an organisation."""
    from handfed.server.people.organisations import Organisations
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        _told(Organisations(opened).add(at_the_console(), name), "was added", as_json=as_json)


@organisations.command("rename")
def rename_organisation(
    number: OrganisationNumber,
    name: OrganisationName,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give an organisation another name."""
    from handfed.server.people.organisations import Organisations
    from handfed.server.people.principals import at_the_console

    with Choices(data_dir, database, as_json).open_server() as opened:
        _told(Organisations(opened).rename(at_the_console(), number, name), "has its name", as_json=as_json)


@tokens.command("list")
def list_tokens(data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the tokens, also those that let nobody in any more."""
    from handfed.server.paging import ALL
    from handfed.server.people.organisations import Organisations
    from handfed.server.people.principals import at_the_console
    from handfed.server.people.tokens import Tokens

    with Choices(data_dir, database, as_json).open_server() as opened:
        found = Tokens(opened).list(at_the_console(), ALL).items
        names = {one.number: one.name for one in Organisations(opened).list(at_the_console(), ALL).items}
    if as_json:
        terminal.print_json({"tokens": found})
        return
    columns = ("Number", "Whose", "Role", "For", "Last used", "Until")
    table = terminal.table(*columns, right=("Number",), whole=("Role", "Last used", "Until"))
    for one in found:
        reach = "the federation" if one.organisation is None else names[one.organisation]
        table.add_row(str(one.number), one.name, one.role, reach, wording.moment(one.last_used_at), _until(one))
    terminal.console().print(table)


@tokens.command("add")
def add_token(
    name: Annotated[str, typer.Argument(help="Whose token it is.", show_default=False)],
    role: Annotated[Literal["viewer", "operator", "admin"], typer.Option(help="What they may do.")] = "viewer",
    organisation: Annotated[
        str | None,
        typer.Option(help="Name of the organisation that it reaches over. [the federation]", show_default=False),
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="How long it lets them in, such as 30d. [for ever]", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, and show its secret this once."""
    from handfed.server.durations import duration
    from handfed.server.people.organisations import Organisations
    from handfed.server.people.principals import at_the_console
    from handfed.server.people.tokens import Tokens
    from handfed.shared.errors import NotFoundError

    who, lives = at_the_console(), None if expires is None else duration(expires)
    with Choices(data_dir, database, as_json).open_server() as opened:
        number = None
        if organisation is not None:
            found = Organisations(opened).named(who, organisation)
            if found is None:
                raise NotFoundError(f"there is no organisation {organisation}; handfed organisations list names all")
            number = found.number
        new = Tokens(opened).add(who, name, role, organisation=number, expires_in=lives)
    if as_json:
        terminal.print_json({"token": new.token, "secret": new.secret})
    else:
        terminal.console().print(f"Token {new.token.number} of {new.token.name}, {role}. It is shown this once:")
        typer.echo(new.secret)


@tokens.command("revoke")
def revoke_token(
    number: TokenNumber, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Revoke a token, from its next use on."""
    from handfed.server.people.principals import at_the_console
    from handfed.server.people.tokens import Tokens

    with Choices(data_dir, database, as_json).open_server() as opened:
        revoked = Tokens(opened).revoke(at_the_console(), number)
    if as_json:
        terminal.print_json({"token": revoked})
    else:
        terminal.console().print(f"Token {number} of {revoked.name} lets nobody in any more.")


def _told(organisation: Organisation, what: str, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({"organisation": organisation})
    else:
        terminal.console().print(f"Organisation {organisation.number}, {organisation.name}, {what}.")


def _until(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "for ever" if token.expires_at is None else wording.moment(token.expires_at)
