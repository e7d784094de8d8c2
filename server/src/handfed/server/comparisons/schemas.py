"""What the API takes and tells of comparisons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_GIVEN = ConfigDict(from_attributes=True)
_Release = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ComparisonWanted(BaseModel):
    """Two releases to compare."""

    model_config = ConfigDict(extra="forbid")

    release_a: _Release = Field(description="What devices of the first group use.", examples=[3])
    release_b: _Release = Field(description="And of the second.", examples=[4])
    percent: Annotated[int, Field(ge=1, le=99)] = Field(
        default=50, description="How many devices in a hundred are in the second."
    )


class ComparisonGiven(BaseModel):
    """Two releases on two groups of devices."""

    model_config = _GIVEN

    number: int = Field(description="Its number.", examples=[1])
    task: str = Field(description="What they recognise.", examples=["digits"])
    release_a: int = Field(description="What devices of the first group use.", examples=[3])
    release_b: int = Field(description="And of the second.", examples=[4])
    percent: int = Field(description="How many devices in a hundred are in the second.", examples=[50])
    started_at: datetime = Field(description="When it began.")
    ended_at: datetime | None = Field(description="When it ended; null while it goes on.")


class RateGiven(BaseModel):
    """A rate in a group of devices."""

    model_config = _GIVEN

    devices: int = Field(description="How many told of it.", examples=[12])
    events: int = Field(description="Such as corrections.", examples=[180])
    of: int = Field(description="Such as readings.", examples=[9000])
    rate: float | None = Field(description="Of events, as a fraction.", examples=[0.02])


class IntervalGiven(BaseModel):
    """A difference of rates, as fractions."""

    model_config = _GIVEN

    difference: float = Field(description="The second group's rate less the first's.", examples=[-0.004])
    low: float = Field(description="Lower end of the 95 % confidence interval, clustered by device.", examples=[-0.007])
    high: float = Field(description="And the upper end.", examples=[-0.001])


class FigureGiven(BaseModel):
    """What one kind of evidence shows."""

    model_config = _GIVEN

    a: RateGiven | None = Field(description="In the first group; null where fewer than 5 devices told of it.")
    b: RateGiven | None = Field(description="And in the second.")
    difference: IntervalGiven | None = Field(description="Of the second from the first; null where either is.")


class EvidenceGiven(BaseModel):
    """What devices of both groups told."""

    model_config = _GIVEN

    devices_a: int = Field(description="Enrolled devices in the first group.", examples=[14])
    devices_b: int = Field(description="And in the second.", examples=[13])
    corrections: FigureGiven = Field(description="Corrections by readings that people saw since it began.")
    accuracy: FigureGiven = Field(description="Held-out samples that were read without an error.")


class OutcomeGiven(BaseModel):
    """What came of a comparison: until now, or until it ended."""

    model_config = _GIVEN

    comparison: ComparisonGiven = Field(description="What is compared.")
    evidence: EvidenceGiven = Field(description="What devices told.")
