"""What the route of what leaves a device gives."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.privacy.leaving import Form

_GIVEN = ConfigDict(from_attributes=True)


class SentGiven(BaseModel):
    """A field of a message that a device sends."""

    model_config = _GIVEN

    message: str = Field(description="Kind of message.", examples=["train"])
    field: str = Field(description="Its name in the message.", examples=["num-examples"])
    form: Form = Field(description="What it is.")
    floor: int = Field(description="From how many writers or samples on it is said; 0 always.", examples=[10])
    size_bytes: int | None = Field(description="Of one device in the last round, the mean.", examples=[292_000])


class LeavingGiven(BaseModel):
    """What leaves a device: no image, label text, writer or file name is among it."""

    model_config = _GIVEN

    run: int | None = Field(description="The run whose last round is measured.", examples=[12])
    round: int | None = Field(description="That round.", examples=[20])
    devices: int = Field(description="How many devices' updates were measured.", examples=[19])
    fields: list[SentGiven] = Field(description="All fields.")
