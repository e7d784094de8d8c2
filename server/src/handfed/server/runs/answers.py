"""What the routes of runs give; the values within the record are in `schemas`."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.api.fields import NodeId
from handfed.server.runs.live import Activity
from handfed.server.runs.schemas import Outcome, Phase, RecordedRound, Status

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


class SpreadGiven(BaseModel):
    """How accuracy differs between writers, from a histogram: each figure to the width of a bin."""

    model_config = _GIVEN

    count: int = Field(description="How many writers.", examples=[40])
    p10: float = Field(description="Tenth percentile, 0 to 1.", examples=[0.9])
    median: float = Field(description="Fiftieth percentile.", examples=[0.955])
    p90: float = Field(description="Ninetieth percentile.", examples=[0.982])
    worst_decile: float = Field(description="Mean over the worst tenth of the writers.", examples=[0.88])


class ClassGiven(BaseModel):
    """How samples of a class were read."""

    model_config = _GIVEN

    label: int = Field(description="The class, in the order of the run's alphabet, from 0.", examples=[4])
    samples: int = Field(description="Held-out samples.", examples=[120])
    correct: int = Field(description="Of them, how many were read right.", examples=[113])


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
    writers: SpreadGiven | None = Field(description="How accuracy differs between held-out writers; null below ten.")
    writer_bins: list[int] = Field(
        description="Those writers by accuracy: how many from 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8,"
        " 0.85, 0.875, 0.9, 0.925, 0.95, 0.97, 0.98 and 0.99 on, and at 1; empty where nothing is told.",
        examples=[[0] * 12 + [2, 3, 8, 11, 9, 4, 2, 1]],
    )
    class_counts: list[ClassGiven] = Field(
        description="Held-out samples by class, of classes that five devices at least told of."
    )


@lru_cache(maxsize=4096)  # a round is never changed, and people look at the same runs again and again
def round_as_json(each: RecordedRound) -> str:
    """A round as `RoundGiven` has it, as text."""
    return RoundGiven.model_validate(each).model_dump_json()


class RoundInDetailGiven(BaseModel):
    """A round, and how accuracy differs between devices."""

    model_config = _GIVEN

    round: RoundGiven = Field(description="The round.")
    devices: SpreadGiven | None = Field(
        description="How accuracy differs between devices that hold out ten samples at least; null below five devices."
    )
    device_bins: list[int] = Field(description="Those devices by accuracy, in the bins of `writer_bins`.")


class ParticipantGiven(BaseModel):
    """What one device did in a round."""

    model_config = _GIVEN

    device: int = Field(description="Its number.", examples=[7])
    name: str = Field(description="As people call it.", examples=["Room 12"])
    organisation: int = Field(description="Where it belongs.", examples=[1])
    outcome: Outcome = Field(description="What became of its update; `evaluated` where none was asked for or needed.")
    reason: str | None = Field(description="Why its update was rejected.", examples=["not-finite"])
    samples: int = Field(description="Samples behind its update.", examples=[400])
    loss: float | None = Field(description="Mean training loss, in nats.", examples=[0.4])
    seconds: float | None = Field(description="How long it trained.", examples=[3.1])
    bytes_up: int = Field(description="Bytes of its update.", examples=[292_000])
    held_out: int | None = Field(description="Held-out samples that it read.", examples=[100])
    accuracy: float | None = Field(description="How well it read them; null below ten samples.", examples=[0.94])


class LiveDeviceGiven(BaseModel):
    """What a device does just now."""

    model_config = _GIVEN

    device: int = Field(description="Its number.", examples=[7])
    name: str = Field(description="As people call it.", examples=["Room 12"])
    organisation: int = Field(description="Where it belongs.", examples=[1])
    activity: Activity = Field(description="`asked` until it fetched the message, `working` until it has answered.")
    since: datetime = Field(description="Since when.")


class LiveRoundGiven(BaseModel):
    """What devices do for a run just now, as the server sees messages go by."""

    model_config = _GIVEN

    kind: str | None = Field(description="Of the messages that were sent; null: nothing goes on.", examples=["train"])
    round: int | None = Field(description="The round that will be on record next.", examples=[4])
    began_at: datetime | None = Field(description="When the first message was sent.")
    asked: int = Field(description="Devices that were sent one.", examples=[20])
    working: int = Field(description="Of these, those that have it and have not answered.", examples=[12])
    answered: int = Field(description="Those that have answered.", examples=[8])
    devices: list[LiveDeviceGiven] = Field(description="Those that the token reaches; none in a secure run.")


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
