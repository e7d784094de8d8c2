"""Why a device refuses what a registry offers: each rule by its name, and what to do.

Every refusal leaves the release in use as it is. python-tuf decides on metadata and hashes; here its errors get words.

Source: The Update Framework 1.0.34, section 5 (the client's workflow).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from tuf.api import exceptions

from handfed.clients.edge.fetcher import HttpStatusError, RedirectError, UnreachableError, UntrustedServerError
from handfed.shared.errors import UpdateError
from handfed.shared.printable import printable


class Rule(StrEnum):
    """What was broken."""

    SIGNATURES = "signatures"
    EXPIRY = "expiry"
    VERSION = "version"
    MIXED = "mixed"
    FORM = "form"
    HASH = "hash"
    LENGTH = "length"
    SPEED = "speed"
    REDIRECT = "redirect"
    SERVER = "server"
    MANIFEST = "manifest"


_WORDS: Final[Mapping[Rule, str]] = {
    Rule.SIGNATURES: (
        "too few of the federation's keys signed this: somebody may be offering another's releases; ask the operator"
    ),
    Rule.EXPIRY: (
        "what the registry says is out of date: somebody may be holding newer releases back, or the operator's server "
        "does not renew it; check this device's clock, then ask the operator"
    ),
    Rule.VERSION: (
        "the registry's metadata are older than what this device has seen, or not of one moment: somebody may be "
        "offering old releases, or the operator restored a backup; ask the operator"
    ),
    Rule.MIXED: "the registry's metadata are not of one moment; try again, and ask the operator if it stays so",
    Rule.FORM: "the registry's metadata are not of a form that this software reads; update it, or ask the operator",
    Rule.HASH: "a file is not the one that was signed: somebody may have changed it; try again, then ask the operator",
    Rule.LENGTH: "a file is longer than what was signed, or than such a file may be; ask the operator",
    Rule.SPEED: "the server sends too slowly to go on waiting; try again later, or over another network",
    Rule.REDIRECT: "the server sends this device elsewhere, and a registry never does; ask the operator",
    Rule.SERVER: (
        "who answers does not prove to be the federation's server: somebody may be listening, the network's own filter "
        "opens TLS, or this device's clock is wrong"
    ),
    Rule.MANIFEST: "the release does not hold what its place in the registry says; ask the operator",
}


class RefusedUpdateError(UpdateError):
    """The registry, or what is on the disk, breaks a rule.

    Attributes:
        rule: Which.
    """

    def __init__(self, rule: Rule, detail: str) -> None:
        self.rule = rule
        super().__init__(f"refused by the rule '{rule}': {_WORDS[rule]} ({printable(detail)})")


# The first that fits counts, so what is special comes before what is general.
_RULES: Final[tuple[tuple[type[Exception], Rule], ...]] = (
    (UntrustedServerError, Rule.SERVER),
    (RedirectError, Rule.REDIRECT),
    (exceptions.SlowRetrievalError, Rule.SPEED),
    (exceptions.DownloadLengthMismatchError, Rule.LENGTH),
    (exceptions.UnsignedMetadataError, Rule.SIGNATURES),
    (exceptions.ExpiredMetadataError, Rule.EXPIRY),
    (exceptions.BadVersionNumberError, Rule.VERSION),
    (exceptions.LengthOrHashMismatchError, Rule.MIXED),
    (exceptions.RepositoryError, Rule.FORM),
)


@contextmanager
def refusals_named(*, of_a_file: bool = False) -> Iterator[None]:
    """Turns what python-tuf and the fetcher raise within the block into errors that say what to do.

    Args:
        of_a_file: Whether a target is verified, and not metadata.

    Raises:
        RefusedUpdateError: A rule was broken.
        UpdateError: The server cannot be reached, or failed.
    """
    try:
        yield
    except UnreachableError as error:
        raise UpdateError(str(error)) from error
    except HttpStatusError as error:
        raise UpdateError(
            f"the server answers {error.status_code} for a file of its registry; try again later, and ask the operator "
            "if it stays so"
        ) from error
    except (exceptions.DownloadError, exceptions.RepositoryError) as error:
        rule = next((rule for kind, rule in _RULES if isinstance(error, kind)), None)
        if rule is None:
            raise UpdateError(f"a file of the registry did not come: {printable(str(error))}; try again") from error
        if rule is Rule.MIXED and of_a_file:
            rule = Rule.HASH
        raise RefusedUpdateError(rule, str(error) or type(error).__name__) from error
