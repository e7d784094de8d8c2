"""`handfed keys`: who signs what devices believe of releases, and for how long; docs/keys.md tells when to use which.

All but `make` and `sign` work on the registry of the server on this machine, which may run meanwhile; the audit log
names the account of whoever runs them. `make` and `sign` take files alone, for a machine that has no network.

`handfed keys --json` prints `{"roles": [{role, version, expires, threshold, keys: [{keyid, is_here}, ...], missing},
...], "pending": [path, ...]}`; `missing` is how many signatures the next version waits for, null where none waits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from handfed.server import terminal, wording
from handfed.server.terminal import AsJson, Choices, DatabaseUrl, DataDir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securesystemslib.signer import Key

    from handfed.server.registry.custody import KeyCustody
    from handfed.server.registry.draft import AnyMetadata
    from handfed.server.registry.service import Registry, RoleStatus

commands = typer.Typer(help="The keys that sign releases and channels.", invoke_without_command=True)

RoleName = Annotated[
    Literal["root", "targets", "channels", "snapshot", "timestamp"],
    typer.Argument(help="Which role.", show_default=False),
]
KeyId = Annotated[str, typer.Argument(help="The key's id, or its beginning.", show_default=False)]
WhichKey = Annotated[
    str | None, typer.Option("--key", help="Which of the role's keys. [the only one]", show_default=False)
]
PublicFile = Annotated[
    Path | None,
    typer.Option("--with", help="Public key that was made elsewhere. [a key is made here]", show_default=False),
]
Plain = Annotated[bool, typer.Option("--no-passphrase", help="Leave the file open to whoever finds it.")]


@commands.callback()
def keys(
    context: typer.Context, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Show who signs what; the subcommands change it."""
    context.obj = Choices(data_dir, database, as_json)
    if context.invoked_subcommand is None:
        _list(context.obj)


@commands.command("list")
def list_keys(
    context: typer.Context, data_dir: DataDir = None, database: DatabaseUrl = None, as_json: AsJson = False
) -> None:
    """Show roles, their keys, when what they signed expires, and what waits for a signature."""
    _list(Choices(data_dir, database, as_json).over(context.obj))


@commands.command()
def rotate(
    context: typer.Context,
    role: RoleName,
    key: WhichKey = None,
    public: PublicFile = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Put a new key in the place of a role's old one."""
    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    new = _public(public)
    with _changing(choices, "rotate", role) as custody:
        made = custody.rotate(role, old=key, new=new)
    typer.echo(f"{role} has the new key {_short(made.keyid)}.")
    _tell_waiting(choices)


@commands.command()
def revoke(
    context: typer.Context,
    key: KeyId,
    public: PublicFile = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Take a key its role away: it was lost, or somebody else has it. The last one is replaced by a new one."""
    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    new = _public(public)
    with _changing(choices, "revoke", key) as custody:
        role, made = custody.revoke(key, new=new)
    typer.echo(f"{role} has the key no more." + ("" if made is None else f" It has the new key {_short(made.keyid)}."))
    _tell_waiting(choices)


@commands.command()
def add(
    context: typer.Context,
    role: RoleName,
    public: PublicFile = None,
    threshold: Annotated[
        int | None, typer.Option(help="How many keys have to sign from then on.", min=1, show_default=False)
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Give a role one more key."""
    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    new = _public(public)
    with _changing(choices, "add", role) as custody:
        made = custody.add(role, new=new, threshold=threshold)
    typer.echo(f"{role} also has the key {_short(made.keyid)}.")
    _tell_waiting(choices)


@commands.command("threshold")
def set_threshold(
    context: typer.Context,
    role: RoleName,
    number: Annotated[int, typer.Argument(help="How many of its keys have to sign.", min=1, show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Say how many keys of a role have to sign."""
    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    with _changing(choices, "threshold", role) as custody:
        custody.set_threshold(role, number)
    typer.echo(f"{number} of the keys of {role} have to sign.")
    _tell_waiting(choices)


@commands.command()
def export(
    context: typer.Context,
    role: RoleName,
    file: Annotated[Path, typer.Argument(help="Where the key goes; it must not be there.", show_default=False)],
    key: WhichKey = None,
    plain: Plain = False,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Move a private key to a file, and away from this machine."""
    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    passphrase = None if plain else _new_passphrase()
    with _changing(choices, "export", role) as custody:
        keyid = custody.export(role, file, passphrase=passphrase, said=key)
    typer.echo(f"{file} holds the key {_short(keyid)} of {role}, and this machine does not any more.")
    typer.echo("Keep two copies in two places. Backups of the server that were made before still hold it.")


@commands.command("import")
def bring_back(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A private key, or a file that was signed.", show_default=False)],
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Bring back what was carried away: a file that was signed elsewhere, or a private key."""
    from handfed.server.registry import keys as role_keys

    choices, content = Choices(data_dir, database, as_json=False).over(context.obj), _read(file)
    if role_keys.is_private(content):
        passphrase = _passphrase_of(content)
        with _changing(choices, "import", "key") as custody:
            role, keyid = custody.bring_back(content, passphrase=passphrase)
        typer.echo(f"The key {_short(keyid)} of {role} is on this machine.")
    else:
        with _changing(choices, "accept", "signature") as custody:
            role = custody.accept(content)
        typer.echo(f"The signature of {role} is taken.")
    _tell_waiting(choices)


@commands.command()
def sign(
    file: Annotated[Path, typer.Argument(help="What waits: a file of registry/pending/.", show_default=False)],
    key: Annotated[Path, typer.Argument(help="File of the private key.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Sign without being asked.")] = False,
) -> None:
    """Sign a file on the machine that has the key; no server or network is needed."""
    from handfed.server.registry import custody
    from handfed.shared.files import write_atomically

    content, private = _read(file), _read(key)
    for line in _summary(custody.read(content)):
        typer.echo(line)
    if not yes:
        typer.confirm("Sign this?", abort=True)
    write_atomically(file, custody.sign(content, private, _passphrase_of(private)))
    typer.echo(f"{file} is signed: carry it back to the server, and run there: handfed keys import {file.name}")


@commands.command()
def make(
    file: Annotated[Path, typer.Argument(help="Where the key goes; it must not be there.", show_default=False)],
    plain: Plain = False,
) -> None:
    """Make a key on this machine, to be given to a role; no server or network is needed."""
    from handfed.server.registry import keys as role_keys
    from handfed.shared.errors import SettingError
    from handfed.shared.files import write_atomically

    public = file.with_name(f"{file.name}.pub")
    for path in (file, public):
        if path.exists():
            raise SettingError(f"{path} is there already; name another file")
    passphrase, signer = None if plain else _new_passphrase(), role_keys.make()
    write_atomically(file, role_keys.encode(signer, passphrase))
    write_atomically(public, role_keys.encode_public(signer.public_key))
    typer.echo(f"{file} is the key {_short(signer.public_key.keyid)}: keep it. Carry {public} to the server, and run")
    typer.echo(f"there, say: handfed keys rotate root --with {public.name}")


@commands.command()
def renew(
    context: typer.Context,
    roles: Annotated[
        list[str] | None, typer.Argument(help="Which roles. [all whose keys are here]", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    database: DatabaseUrl = None,
) -> None:
    """Sign anew, so that it expires later; the server does so by itself where the keys are here."""
    from handfed.server.registry.draft import ROLES
    from handfed.shared.errors import SettingError

    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    unknown = sorted(set(roles or ()) - set(ROLES))
    if unknown:
        raise SettingError(f"{unknown[0]} is no role; the roles are {', '.join(ROLES)}")
    registry = _registry(choices)
    chosen = roles or [one.role for one in registry.status() if one.signs_here]
    _audited(choices, "renew", "+".join(chosen), lambda: registry.renew(chosen))
    typer.echo(f"Signed anew: {', '.join(chosen)}.")
    _tell_waiting(choices)


@commands.command()
def cancel(context: typer.Context, data_dir: DataDir = None, database: DatabaseUrl = None) -> None:
    """Drop what waits for a signature; releases among it are prepared anew by the server."""
    choices = Choices(data_dir, database, as_json=False).over(context.obj)
    repository = _registry(choices).repository
    dropped: tuple[str, ...] = ()

    def drop() -> None:
        nonlocal dropped
        dropped = repository.cancel()

    _audited(choices, "cancel", "pending", drop)
    typer.echo(f"Dropped: {', '.join(dropped)}." if dropped else "Nothing waited.")


@commands.command()
def root(context: typer.Context, data_dir: DataDir = None, database: DatabaseUrl = None) -> None:
    """Print the newest root, by which devices know the registry."""
    sys.stdout.buffer.write(_registry(Choices(data_dir, database, as_json=False).over(context.obj)).root() + b"\n")


def _list(choices: Choices) -> None:
    registry = _registry(choices)
    roles = registry.status()
    pending = _waiting(registry, roles)
    if choices.as_json:
        terminal.print_json({"roles": roles, "pending": [str(path) for path in pending]})
        return
    console = terminal.console()
    table = terminal.table("Role", "Expires", "Key", "Where", "Signs", whole=("Expires", "Key"))
    for one in roles:
        signs = f"{one.threshold} of {len(one.keys)}"
        for place, key in enumerate(one.keys):
            first = (one.role, wording.moment(one.expires)) if place == 0 else ("", "")
            table.add_row(*first, _short(key.keyid), "here" if key.is_here else "elsewhere", signs if not place else "")
    console.print(table)
    for path in pending:
        console.print(f"\nWaits for a signature: {path}", soft_wrap=True)


def _waiting(registry: Registry, roles: tuple[RoleStatus, ...]) -> list[Path]:
    from handfed.server.registry.files import PENDING

    directory = registry.repository.files.directory.absolute()
    return [directory / PENDING / f"{one.role}.json" for one in roles if one.missing is not None]


def _tell_waiting(choices: Choices) -> None:
    registry = _registry(choices)
    for path in _waiting(registry, registry.status()):
        typer.echo(f"It takes force when {path} is signed where the key is (handfed keys sign) and brought back.")


def _summary(metadata: AnyMetadata) -> Iterator[str]:
    """What a person is about to sign."""
    from tuf.api.metadata import Root, Targets

    from handfed.server.registry.draft import ROLES, keyids_of
    from handfed.shared.files import sha256_of

    signed = metadata.signed
    yield f"{signed.type}, version {signed.version}, valid until {signed.expires:%Y-%m-%d %H:%M} UTC"
    yield f"SHA-256 of what is signed: {sha256_of(metadata.signed_bytes)}"
    if isinstance(signed, (Root, Targets)):
        for role in ROLES:
            has = keyids_of(signed, role)
            if has:
                threshold = signed.get_delegated_role(role).threshold
                yield f"  {role}: {threshold} of {', '.join(_short(keyid) for keyid in has)}"
    if isinstance(signed, Targets):
        for path, file in sorted(signed.targets.items()):
            yield f"  {path}  sha256 {file.hashes['sha256']}"


@contextmanager
def _changing(choices: Choices, verb: str, what: str) -> Iterator[KeyCustody]:
    """The keys, to be changed. The audit log says so first, and then, where that failed, that it did."""
    from handfed.server.audit import service as audit
    from handfed.server.clock import now
    from handfed.server.people.principals import at_the_console
    from handfed.server.registry.custody import KeyCustody

    with choices.open_server() as opened:

        def note(**detail: str) -> None:
            with opened.write() as session:
                audit.record(session, now(), at_the_console(), verb, f"registry-key/{what}", detail=detail)

        note()
        try:
            yield KeyCustody(_registry(choices).repository)
        except BaseException:
            note(outcome="failed")
            raise


def _audited(choices: Choices, verb: str, what: str, work: Callable[[], object]) -> None:
    with _changing(choices, verb, what):
        work()


def _registry(choices: Choices) -> Registry:
    from handfed.server.registry.files import registry_in
    from handfed.server.registry.service import Registry
    from handfed.server.settings import ServerSettings

    settings = ServerSettings.load(choices.directory, choices.database)
    return Registry(registry_in(choices.directory), settings.lifetimes)


def _public(file: Path | None) -> Key | None:
    from handfed.server.registry.keys import decode_public

    return None if file is None else decode_public(_read(file))


def _read(file: Path) -> bytes:
    from handfed.shared.errors import SettingError

    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingError(f"cannot read {file}: {error.strerror}") from error


def _new_passphrase() -> str:
    chosen: str = typer.prompt("A passphrase for the file", hide_input=True, confirmation_prompt=True)
    return chosen


def _passphrase_of(content: bytes) -> str | None:
    from handfed.server.registry.keys import is_encrypted

    return str(typer.prompt("Passphrase of the key", hide_input=True)) if is_encrypted(content) else None


def _short(keyid: str) -> str:
    from handfed.server.registry.keys import SHOWN

    return keyid[:SHOWN]
