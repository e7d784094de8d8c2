"""What the route of the overview gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.runs.schemas import Status

_GIVEN = ConfigDict(from_attributes=True)


class DeviceCountsGiven(BaseModel):
    """How many devices there are."""

    model_config = _GIVEN

    enrolled: int = Field(description="That take part.", examples=[20])
    online: int = Field(description="Of these, heard of within a minute.", examples=[14])
    away: int = Field(description="Not heard of for a week.", examples=[1])
    revoked: int = Field(description="That no longer take part.", examples=[2])


class RunInBriefGiven(BaseModel):
    """A run, in brief."""

    model_config = _GIVEN

    id: int = Field(description="Its number.", examples=[12])
    status: Status = Field(description="How it stands.")
    task: str = Field(description="What is recognised.", examples=["digits"])
    rounds: int = Field(description="How many rounds are on record.", examples=[4])
    planned: int | None = Field(description="How many there will be at most.", examples=[20])
    accuracy: float | None = Field(description="Of the last round that was evaluated.", examples=[0.94])
    started_at: datetime = Field(description="When it started.")
    ended_at: datetime | None = Field(description="When it ended.")


class WaitingInAllGiven(BaseModel):
    """Handwriting that no run has had, as devices told it, in tens."""

    model_config = _GIVEN

    devices: int = Field(description="That told, since the last run of their task was done.", examples=[12])
    fresh: int = Field(description="Usable samples.", examples=[1240])
    feedback: int = Field(description="Of these, readings that a person corrected or found right.", examples=[310])


class LatestReleaseGiven(BaseModel):
    """The newest release."""

    model_config = _GIVEN

    number: int = Field(description="Its number.", examples=[3])
    task: str = Field(description="What it recognises.", examples=["digits"])
    phase: str | None = Field(description="How far it has come; null where it has not begun.", examples=["stable"])
    accuracy_int8: float | None = Field(description="Held-out accuracy.", examples=[0.949])
    size_bytes: int = Field(description="Of the model file.", examples=[97_000])
    created_at: datetime = Field(description="When it was published.")


class AttentionGiven(BaseModel):
    """What needs a person."""

    model_config = _GIVEN

    kind: Literal[
        "run-failed",
        "release-paused",
        "release-rolled-back",
        "devices-away",
        "updates-rejected",
        "certificate-ends",
        "registry-ends",
    ] = Field(description="What it is.")
    count: int = Field(description="How many.", examples=[1])
    subject: str = Field(description="What it is about.", examples=["run/3"])


class OverviewGiven(BaseModel):
    """What goes on, in one look."""

    model_config = _GIVEN

    at: datetime = Field(description="The server's time.")
    devices: DeviceCountsGiven = Field(description="Who is there, of the devices that the token reaches.")
    run: RunInBriefGiven | None = Field(description="The run that goes on, or else the newest.")
    queued: int = Field(description="Runs that wait.", examples=[0])
    waiting: WaitingInAllGiven = Field(
        description="What a run could learn anew, of the devices that the token reaches."
    )
    release: LatestReleaseGiven | None = Field(description="The newest release.")
    attention: list[AttentionGiven] = Field(description="What needs a person.")
