"""What the routes of the audit log give."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class AuditEntryGiven(BaseModel):
    """One change."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="Counted from 1.", examples=[12])
    at: datetime = Field(description="When.")
    who: str = Field(description="By whom.", examples=["Ada, school board"])
    token: int | None = Field(description="Number of their token.", examples=[2])
    address: str = Field(description="From where: an IP address, or `console`.", examples=["192.0.2.7"])
    organisation: int | None = Field(description="The organisation that it concerns; null for the federation.")
    verb: str = Field(description="What was done.", examples=["revoke"])
    object: str = Field(description="To what.", examples=["device/7"])
    detail: dict[str, Any] = Field(description="More; never a secret.", examples=[{}])
