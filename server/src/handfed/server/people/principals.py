"""Who asks for something: a role, and how far it reaches.

Rules:
1. A role holds what the ones before it hold: a viewer reads; an operator also invites, renames and revokes devices;
   an admin also gives and revokes tokens and reads the audit log.
2. A role reaches over the federation or over one organisation. What lies outside does not exist for whoever asks: to
   say that it is forbidden would say that it is there.
3. Every service takes the principal and holds these rules; whoever calls a service need not.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, get_args

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from handfed.shared.errors import ForbiddenError

Role = Literal["viewer", "operator", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)  # each holds what those before it hold
CONSOLE: Final = "console"  # the address of whoever sits at the server
Query = TypeVar("Query", bound="Select[*tuple[Any, ...]]")


@dataclass(frozen=True)
class Principal:
    """Who asks, and from where.

    Attributes:
        name: As the audit log names them.
        role: What they may do.
        organisation: Number of the organisation that the role reaches over; None for the whole federation.
        token: Number of their token; None for who sits at the server, and for the server itself.
        address: Where they ask from.
    """

    name: str
    role: Role
    organisation: int | None = None
    token: int | None = None
    address: str = CONSOLE

    def require(self, role: Role) -> None:
        """Refuses who has a lesser role.

        Raises:
            ForbiddenError: The role does not hold this one.
        """
        if ROLES.index(self.role) < ROLES.index(role):
            raise ForbiddenError(f"this takes the role {role}, and {self.name} has the role {self.role}")

    def require_federation(self, role: Role) -> None:
        """Refuses who has a lesser role, or one over an organisation only.

        Raises:
            ForbiddenError: The role does not hold this one, or does not reach over the federation.
        """
        self.require(role)
        if self.organisation is not None:
            raise ForbiddenError(f"this takes a token for the whole federation, and {self.name} is of one organisation")

    def reaches(self, organisation: int | None) -> bool:
        """Whether what belongs to an organisation (None: to the federation) is within the principal's scope."""
        return self.organisation is None or self.organisation == organisation

    def within(self, query: Query, organisation: InstrumentedAttribute[Any]) -> Query:
        """A query for what is within the principal's scope only.

        Args:
            query: Selects rows.
            organisation: The column that says whose a row is.
        """
        return query if self.organisation is None else query.where(organisation == self.organisation)


def at_the_console() -> Principal:
    """Whoever can read the server's own files may do everything; the audit log names their account."""
    return Principal(name=getpass.getuser(), role="admin")
