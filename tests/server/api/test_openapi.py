"""The OpenAPI document, and whether the server keeps it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
import schemathesis
from jsonschema import Draft202012Validator
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from handfed.server.people.principals import Principal
from tests.server.recorded import publish

# What takes a secret is refused whatever is drawn, and so is a name that the example of another route has taken; and
# there is no run that was stopped, nor a second pair of releases to compare.
NEVER_DONE = {
    "POST /api/v1/session",
    "POST /api/v1/enrolments",
    "POST /api/v1/devices/{number}/report",
    "POST /api/v1/devices/{number}/rotate",
    "PATCH /api/v1/organisations/{number}",
    "POST /api/v1/runs/{number}/resume",
    "POST /api/v1/comparisons",
}
MAX_EXAMPLES = 8  # that are drawn of a route, beside its own and those at the edges: half a minute in all


_numbers = count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001 - as schemathesis has it
    """Gives each request an idempotency key of its own, as with another's it would be refused rightly.

    And has none revoke the token that all of them show, the first.
    """
    if case.operation.path.endswith("/tokens/{number}/revoke") and case.path_parameters["number"] == 1:
        case.path_parameters["number"] = 2
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable():
        case.headers["Idempotency-Key"] = f"{key[:200]}{next(_numbers)}"


@pytest.fixture
def config(world: Any) -> SchemathesisConfig:
    """What is sent, and with which token."""
    # Whether a text is a key, and which settings of a run fit together, the document cannot say.
    keys = {"positive_data_acceptance": {"expected-statuses": ["2xx", "403", "404", "409", "422"]}}
    return SchemathesisConfig.from_dict(
        {
            "auth": {"openapi": {"token": {"bearer": world.tokens["federation admin"]}}},
            "generation": {"max-examples": MAX_EXAMPLES, "deterministic": True, "database": "none"},
            "phases": {"stateful": {"enabled": False}},
            "operations": [
                {"include-path-regex": "/enrolments$|/rotate$", "checks": keys},
                {"include-name": "POST /api/v1/runs", "checks": keys},
                {"include-name": "PATCH /api/v1/learning/{task}", "checks": keys},
            ],
            "seed": 1,
        }
    )


@pytest.mark.slow
def test_the_server_keeps_its_document(world: Any, config: SchemathesisConfig) -> None:
    """Whatever is sent, no answer is a 5xx, and each is as the document says."""
    _compared(world.services)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", world.app, config=config)
    broken: list[str] = []
    done: set[str] = set()
    for event in from_schema(schema).execute():
        assert not isinstance(event, (events.FatalError, events.NonFatalError)), event
        if isinstance(event, events.ScenarioFinished):
            answers = [one.response for one in event.recorder.interactions.values() if one.response is not None]
            done |= {str(event.recorder.label)} if any(answer.status_code < 300 for answer in answers) else set()
            broken += [
                f"{check.name}: {check.failure_info.failure.message} {check.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.status == Status.FAILURE and check.failure_info
            ]
    assert not broken, "\n\n".join(broken)
    assert not {label for label in _labels(schema) if label not in done} - NEVER_DONE


def _compared(services: Any) -> None:
    """Has a second release compared with the first."""
    with services.database.write() as session:
        publish(session, 2)
    services.comparisons.start(Principal("Ada", "admin"), 1, 2)


def _labels(schema: Any) -> set[str]:
    return {operation.ok().label for operation in schema.get_all_operations()}


def test_every_route_declares_its_problems_and_explains_itself(shared_world: Any) -> None:
    document = shared_world.app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            place = f"{method} {path}"
            assert operation["summary"], place
            assert operation["description"], place
            assert {"400", "500", "503"} <= set(operation["responses"]), place
            if "security" in operation:
                assert "401" in operation["responses"], place
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert set(answer["content"]) == {"application/problem+json"}, place
            if method != "get":
                assert any(one["name"] == "Idempotency-Key" for one in operation["parameters"]), place


def test_every_field_is_described_and_every_example_is_one(shared_world: Any) -> None:
    document = shared_world.app.openapi()
    for name, model in document["components"]["schemas"].items():
        for field, described in model.get("properties", {}).items():
            assert described.get("description") or "$ref" in described, f"{name}.{field}"
            validator = Draft202012Validator({**described, "components": document["components"]})
            for example in described.get("examples", []):
                validator.validate(example)


def test_the_document_has_problems_alone(shared_world: Any) -> None:
    """FastAPI's own form of an error is nowhere."""
    assert "HTTPValidationError" not in str(shared_world.app.openapi())
