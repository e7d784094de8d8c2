"""What the routes of runs give; the values within the record are in `schemas`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.api.fields import NodeId
from handfed.server.runs.schemas import Phase, Status

SettingName = Annotated[str, Field(min_length=1, max_length=64)]
SettingText = Annotated[str, Field(max_length=1000)]
_GIVEN = ConfigDict(from_attributes=True)


class RunGiven(BaseModel):
    """A federated training."""

    model_config = _GIVEN

    id: int = Field(description="Its number.", examples=[12])
    status: Status = Field(description="How it stands.")
    task: str = Field(description="What is recognised.", examples=["characters"])
    recogniser: str = Field(description="What is trained.", examples=["cnn"])
    strategy: str = Field(description="What combines updates.", examples=["fedavg"])
    seed: int = Field(description="What its randomness starts from.", examples=[0])
    settings: dict[str, Any] = Field(description="Its settings; empty for who reaches over one organisation only.")
    devices: int = Field(description="How many devices there are.", examples=[20])
    engine: str = Field(description="What moves messages.", examples=["in-process"])
    rounds: int = Field(description="How many rounds are on record.", examples=[30])
    started_at: datetime = Field(description="When it started.")
    ended_at: datetime | None = Field(description="When it ended.")
    error: str | None = Field(description="Why it failed.")
    summary: dict[str, Any] | None = Field(description="Closing figures.", examples=[{"accuracy_int8": 0.94}])


class RoundGiven(BaseModel):
    """One exchange of a run, over all its devices."""

    model_config = _GIVEN

    number: int = Field(description="Counted from 1.", examples=[1])
    phase: Phase = Field(description="`qat` for a quantization-aware round.")
    started_at: datetime = Field(description="When it began.")
    seconds: float | None = Field(description="How long it took.", examples=[4.2])
    train_seconds: float | None = Field(description="Seconds of training, summed over devices.", examples=[11.5])
    participants: int = Field(description="Devices that were asked.", examples=[20])
    accepted: int = Field(description="Devices whose update was used.", examples=[19])
    examples: int = Field(description="Samples behind the accepted updates.", examples=[4000])
    loss: float | None = Field(description="Mean training loss over those, in nats.", examples=[0.31])
    accuracy: float | None = Field(description="0 to 1, on held-out samples.", examples=[0.94])
    evaluated: int = Field(description="Held-out samples.", examples=[1000])
    held_out_loss: float | None = Field(description="Mean loss on those, in nats.", examples=[0.35])
    bytes_down: int = Field(description="From the server to devices.", examples=[5_840_000])
    bytes_up: int = Field(description="From devices to the server.", examples=[5_548_000])
    ended: str | None = Field(description="Why the phase ended with this round before its time.")


class RejectionGiven(BaseModel):
    """A reply that was not used."""

    model_config = _GIVEN

    round: int = Field(description="The round.", examples=[3])
    device: NodeId = Field(description="What Flower calls the device.")
    reason: str = Field(description="The rule that it broke.", examples=["not-finite"])
    detail: str = Field(description="What was found.", examples=["conv/kernel: NaN or infinite"])


class RunWanted(BaseModel):
    """A run to start."""

    model_config = ConfigDict(extra="forbid")

    task: Literal["digits", "characters", "words", "lines"] = Field(default="digits", description="What is recognised.")
    alphabet: Literal["digits", "letters", "alphanumeric"] | None = Field(
        default=None, description="Its classes; null for those of the task, which only digits has."
    )
    settings: Annotated[dict[SettingName, bool | int | float | SettingText], Field(max_length=100)] = Field(
        default={},
        description="Settings of training by name, as of `handfed simulate`; others have their defaults.",
        examples=[{"rounds": 20, "qat_rounds": 4}],
    )
