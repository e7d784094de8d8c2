"""What the API takes and tells of learning."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from handfed.server.runs.answers import SettingName, SettingText
from handfed.shared.learning.policy import Role

_GIVEN = ConfigDict(from_attributes=True)
_Settings = Annotated[dict[SettingName, bool | int | float | SettingText | None], Field(max_length=100)]


class PolicyGiven(BaseModel):
    """Whether and when the server starts runs of a task by itself."""

    model_config = _GIVEN

    task: str = Field(description="What is recognised.", examples=["digits"])
    enabled_at: datetime | None = Field(description="Since when it does; null where it does not.")
    settings: dict[str, int | float] = Field(
        description="What it is decided by, all by name; docs/learning.md says what each is.",
        examples=[{"least_samples": 1000, "least_devices": 5}],
    )
    run_settings: dict[str, Any] = Field(
        description="Settings of training in place of those of the run that a new one goes on from.",
        examples=[{"rounds": 20}],
    )
    last_run: int | None = Field(description="The last run that it started; null before the first.", examples=[12])


class PoliciesGiven(BaseModel):
    """The policies on record."""

    policies: list[PolicyGiven] = Field(description="By task.")


class PolicyWanted(BaseModel):
    """Settings to change; others stay as they are."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"settings": {"least_samples": 2000}}]})

    settings: _Settings = Field(default={}, description="What it is decided by.", examples=[{"least_samples": 2000}])
    run_settings: _Settings = Field(
        default={},
        description="Settings of training, as of `handfed simulate`; null takes one back.",
        examples=[{"rounds": 20}],
    )


class ConditionGiven(BaseModel):
    """One thing that was looked at."""

    model_config = _GIVEN

    name: str = Field(description="What it is.", examples=["new samples"])
    role: Role = Field(description="All that are `needed` must be met, and one that `calls`.")
    met: bool = Field(description="Whether it holds.")
    found: str = Field(description="What was found.", examples=["640 on 7 devices that have 20 or more"])
    takes: str = Field(description="What it takes.", examples=["1,000 on 5 devices, each for 1,000 at most"])


class DecisionGiven(BaseModel):
    """Whether to start a run, and why."""

    model_config = _GIVEN

    start: bool = Field(description="Whether to.")
    reason: str = Field(description="Why, or why not.", examples=["cool-down: 5 hours since the last run ended"])
    conditions: list[ConditionGiven] = Field(description="All that was looked at.")


class DriftFindingGiven(BaseModel):
    """What one figure of the handwriting shows."""

    model_config = _GIVEN

    name: str = Field(
        description="The figure: ink, stroke-width, slant, confidence, or classes, which are all of them.",
        examples=["slant"],
    )
    p: float = Field(description="Probability of as much by chance, over all figures.", examples=[0.003])
    difference: float = Field(
        description="Of recent writers from known ones, in standard deviations between writers.", examples=[1.31]
    )
    devices: int = Field(description="Devices that were heard of it.", examples=[10])


class DriftGiven(BaseModel):
    """What looking for drift has come to since the last run."""

    model_config = _GIVEN

    found: bool = Field(description="Whether there is any.")
    looks: int = Field(description="How often was looked.", examples=[1])
    level: float | None = Field(description="P value that the last look took; null before the first.", examples=[0.005])
    what: str = Field(description="What differs most, or why it was not looked.")
    findings: list[DriftFindingGiven] = Field(description="Of each figure at the last look, the least p first.")


class WaitingGiven(BaseModel):
    """What waits for a run on a device, as it told, in tens."""

    model_config = _GIVEN

    device: int = Field(description="Its number.", examples=[7])
    name: str = Field(description="As people call it.", examples=["Room 12"])
    organisation: int = Field(description="Where it belongs.", examples=[1])
    received_at: datetime = Field(description="When it told.")
    counts: bool = Field(description="Whether no run of the task was done since: else it calls new what that run had.")
    fresh: int = Field(description="Usable samples that no finished run had.", examples=[120])
    feedback: int = Field(description="Of these, readings that a person corrected or found right.", examples=[30])
    feedback_used: int = Field(description="Of such, those that finished runs could train on.", examples=[210])


class ExplanationGiven(BaseModel):
    """Why a run would be started now, or not."""

    model_config = _GIVEN

    policy: PolicyGiven = Field(description="What is set.")
    now: DecisionGiven = Field(description="What would be decided now.")
    last: DecisionGiven | None = Field(description="What the server decided last; null before its first look.")
    last_at: datetime | None = Field(description="When.")
    drift: DriftGiven = Field(description="What looking for drift has come to, figure by figure.")
