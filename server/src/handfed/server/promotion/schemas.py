"""What the API takes and tells of releases and their way to devices."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.devices.schemas import Signature
from handfed.shared.release_reports import LARGEST_BYTES


class PromotionGiven(BaseModel):
    """How far a release has come."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "release": 5,
                    "task": "digits",
                    "champion": 3,
                    "phase": "rolling-out",
                    "percent": 25,
                    "since": "2027-03-01T12:00:00Z",
                    "reason": "12 of 14 devices say that they are well",
                    "pinned": False,
                }
            ]
        },
    )

    release: int = Field(description="Its number.")
    task: str = Field(description="What it recognises.")
    champion: int | None = Field(description="The release that it is compared with; null for the first of its task.")
    phase: str = Field(description="candidate, rolling-out, stable, paused, rolled-back or superseded.")
    percent: int = Field(description="How many devices in a hundred are to use it.")
    since: datetime = Field(description="When it came to this phase and percentage.")
    reason: str = Field(description="Why it is there, or what it waits for.")
    pinned: bool = Field(description="Whether a person has decided that it stays.")


class DifferenceGiven(BaseModel):
    """A difference of two accuracies on the same samples."""

    model_config = ConfigDict(from_attributes=True)

    difference: float = Field(description="As it was observed; above 0, the release reads more.", examples=[0.004])
    low: float = Field(description="Lower end of the 95 % interval of these counts.", examples=[-0.002])
    high: float = Field(description="Its upper end.", examples=[0.01])


class HealthGiven(BaseModel):
    """How devices are that are to use a release."""

    model_config = ConfigDict(from_attributes=True)

    asked: int = Field(description="Devices that are to use it.", examples=[14])
    healthy: int = Field(description="Those that do, and are well.", examples=[12])
    failed_self_test: int = Field(description="Those on which it computes something else, or cannot run.", examples=[0])
    crashed: int = Field(description="Those whose process ended twice as it read.", examples=[0])
    slow: int = Field(description="Those on which readings take too long.", examples=[1])


class LatencyGiven(BaseModel):
    """How long a release takes to read one picture, over devices, each as it was when the device tried it."""

    model_config = ConfigDict(from_attributes=True)

    devices: int = Field(description="That told.", examples=[14])
    p10: float = Field(description="Tenth percentile, milliseconds.", examples=[0.06])
    median: float = Field(description="Fiftieth percentile.", examples=[0.2])
    p90: float = Field(description="Ninetieth percentile.", examples=[1.4])
    bins: list[int] = Field(
        description="Devices by latency: how many from 0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100 and 200 ms on.",
        examples=[[0, 3, 4, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0]],
    )


class EvidenceGiven(BaseModel):
    """How a release does against its champion, as devices report."""

    model_config = ConfigDict(from_attributes=True)

    champion: int | None = Field(description="What it is compared with; null for the first of its task.", examples=[3])
    verdict: Literal["not-worse", "worse", "undecided"] = Field(description="By the anytime-valid test that decides.")
    held_up: bool = Field(description="Whether it is undecided for a few devices alone.")
    devices: int = Field(description="Devices that have reported.", examples=[14])
    samples: int = Field(description="Samples that both have read.", examples=[840])
    expected: int = Field(description="Samples that all devices together will come to.", examples=[1_200])
    only_candidate: int = Field(description="Of the samples, how many only this release read right.", examples=[6])
    only_champion: int = Field(description="How many only the champion read right.", examples=[3])
    difference: DifferenceGiven | None = Field(description="For people to read; null before the first sample.")
    health: HealthGiven = Field(description="How devices are that are to use it.")
    latency: LatencyGiven | None = Field(description="How long it takes on devices; null where fewer than 5 told.")


class UsedReleaseGiven(BaseModel):
    """A release on a device."""

    model_config = ConfigDict(from_attributes=True)

    release: int = Field(description="Its number.", examples=[3])
    condition: str = Field(description="healthy, failed-self-test, crashed, slow, or unusable.", examples=["healthy"])
    in_use: bool = Field(description="Whether the device reads with it now.")


class DeviceReportGiven(BaseModel):
    """What a device said of releases last."""

    model_config = ConfigDict(from_attributes=True)

    device: int = Field(description="Its number.", examples=[7])
    received_at: datetime = Field(description="When.")
    standings: list[UsedReleaseGiven] = Field(description="Of the releases that it has or had.")


class Decision(BaseModel):
    """What a person decides about a release."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"why": "the school asked for it"}]})

    why: Annotated[str, Field(max_length=500, description="Why, for the record.")] = ""


class ReportSent(BaseModel):
    """A device's report of releases; see `handfed.shared.release_reports`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "report": '{"format":1,"sequence":1,"standings":[],"comparisons":[]}',
                    "signature": "bm90IGEgc2lnbmF0dXJl",
                }
            ]
        },
    )

    report: Annotated[str, Field(max_length=LARGEST_BYTES, description="JSON text, as it was signed.")]
    signature: Signature = Field(description="By the device's key: ECDSA with SHA-384, DER, base64.")


class ReportTaken(BaseModel):
    """What the server has heard of a device."""

    sequence: int = Field(description="Of the newest report; a device goes on from it.", examples=[12])


class PinWanted(BaseModel):
    """What one device is to use."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"release": 3}]})

    release: Annotated[int, Field(ge=1, le=2**31 - 1, description="Of the task that the device reads.")]


class PinsGiven(BaseModel):
    """What one device is to use, whatever its channels say."""

    pins: dict[str, int] = Field(description="The release by task; empty for none.", examples=[{"digits": 3}])
