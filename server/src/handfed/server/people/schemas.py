"""What the routes of organisations and tokens take and give."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.api.fields import LifeSeconds, Name, Reference
from handfed.server.people.principals import Role

_GIVEN = ConfigDict(from_attributes=True)
_TAKEN = ConfigDict(extra="forbid")


class Me(BaseModel):
    """Who the token belongs to."""

    model_config = _GIVEN

    name: str = Field(description="Whose token it is.", examples=["Ada, school board"])
    role: Role = Field(description="What they may do.")
    organisation: int | None = Field(description="The organisation that the role reaches over; null for all.")
    token: int | None = Field(description="The token's number.", examples=[1])


class SessionWanted(BaseModel):
    """What logs a browser in."""

    model_config = _TAKEN

    token: str = Field(min_length=1, max_length=200, description="A token.", examples=["hf_4aizvauero5x3p5t"])


class SessionGiven(Me):
    """Who logged in, and until when."""

    expires_at: datetime = Field(description="When the session ends; from then on the token is to be shown again.")


class OrganisationGiven(BaseModel):
    """A school or a clinic."""

    model_config = _GIVEN

    number: int = Field(description="Never given twice.", examples=[1])
    name: str = Field(description="One of its kind.", examples=["Clinic North"])
    created_at: datetime = Field(description="When it was added.")


class OrganisationName(BaseModel):
    """The name of an organisation."""

    model_config = _TAKEN

    name: Name = Field(description="What it shall be called.")


class TokenGiven(BaseModel):
    """What is known of a token."""

    model_config = _GIVEN

    number: int = Field(description="Never given twice.", examples=[2])
    name: str = Field(description="Whose it is.", examples=["Ada, school board"])
    role: Role = Field(description="What they may do.")
    organisation: int | None = Field(description="The organisation that it reaches over; null for all.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime | None = Field(description="From when on it lets nobody in; null for never.")
    last_used_at: datetime | None = Field(description="When it was last used, to the minute.")
    revoked_at: datetime | None = Field(description="When it was revoked.")


class TokenWanted(BaseModel):
    """A token to make."""

    model_config = _TAKEN

    name: Name = Field(description="Whose it shall be.", examples=["Ada, school board"])
    role: Role = Field(description="What they shall be allowed to do.", examples=["viewer"])
    organisation: Reference | None = Field(
        default=None, description="The organisation that it shall reach over; null for all."
    )
    expires_in_s: LifeSeconds | None = Field(default=None, description="How long it lets them in; null for ever.")


class NewTokenGiven(BaseModel):
    """A new token; its secret is shown this once."""

    model_config = _GIVEN

    token: TokenGiven
    secret: str = Field(
        description="What to send as bearer token.", examples=["hf_" + "a" * 52], pattern=r"^hf_[a-z2-7]{52}$"
    )
