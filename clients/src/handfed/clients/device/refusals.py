"""What a device says when its server refuses: for each reason its own words and advice.

Source: RFC 9457 (problem details); the reasons are `handfed.shared.enrolment.Refusal`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from handfed.shared.enrolment import Refusal, refusal_of
from handfed.shared.errors import EnrolmentError
from handfed.shared.printable import printable

_LONGEST_DETAIL: Final = 300
_LONGEST_WAIT_DIGITS: Final = 6

_WORDS: Final[Mapping[Refusal, str]] = {
    Refusal.INVITATION_UNKNOWN: (
        "the server does not know this invitation: check that it is from this federation, or ask for a new one"
    ),
    Refusal.INVITATION_USED: (
        "another device has joined with this invitation, and it works once. If that was none of yours, tell the "
        "operator at once, who revokes it; ask for a new invitation"
    ),
    Refusal.INVITATION_EXPIRED: "this invitation has expired: ask the operator for a new one, and use it in time",
    Refusal.INVITATION_WITHDRAWN: "the operator withdrew this invitation: ask for a new one",
    Refusal.TOO_MANY_ATTEMPTS: "the server takes no more attempts from this network for now",
    Refusal.PROOF_INVALID: (
        "the server cannot verify this device's signature: the programs on both sides differ, or something on the way "
        "changes requests; update handfed on both sides and try again"
    ),
    Refusal.CONFLICT: (
        "another device has or had the key of this one, as after copying a disk: run the same command again, which "
        "makes a new key"
    ),
    Refusal.ROTATION_REFUSED: (
        "the server does not change this device's key: the operator revoked it, or restored an older backup. Ask "
        "which, and for an invitation if it is to come back: handfed join CODE --again"
    ),
}


class RefusedError(EnrolmentError):
    """The server said no.

    Attributes:
        refusal: Why, or None where this software does not know the reason.
        is_final: Whether the same request would be refused again.
    """

    def __init__(self, problem: Mapping[str, object], retry_after: str | None = None) -> None:
        self.refusal = refusal_of(problem.get("type"))
        self.is_final = self.refusal not in {None, Refusal.TOO_MANY_ATTEMPTS}
        super().__init__(_words(self.refusal, problem, retry_after))


def _words(refusal: Refusal | None, problem: Mapping[str, object], retry_after: str | None) -> str:
    if refusal is None:
        said = problem.get("detail") or problem.get("title") or problem.get("type")
        return f"the server refuses: {printable(str(said))[:_LONGEST_DETAIL]}"
    if refusal is not Refusal.TOO_MANY_ATTEMPTS:
        return _WORDS[refusal]
    seconds = retry_after or ""
    is_number = seconds.isascii() and seconds.isdecimal() and len(seconds) <= _LONGEST_WAIT_DIGITS
    return f"{_WORDS[refusal]}: wait {f'{seconds} seconds' if is_number else 'some minutes'}, then try again"
