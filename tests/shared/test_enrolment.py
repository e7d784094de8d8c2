"""What device and server agree on: the bytes that are signed, and the JSON."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handfed.shared.enrolment import (
    EnrolmentAnswer,
    EnrolmentRequest,
    Refusal,
    enrolment_statement,
    refusal_of,
)
from handfed.shared.errors import EnrolmentError
from handfed.shared.key_rotation import rotation_message

PEM = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(1, 2**31)
roots = st.none() | st.text(st.characters(max_codepoint=127), min_size=1)
answers = st.builds(EnrolmentAnswer, numbers, st.text(), st.text(), st.none() | numbers, roots)
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def test_the_statement_of_an_enrolment_is_these_bytes() -> None:
    statement = enrolment_statement(b"f" * 32, b"s" * 32, PEM)
    assert statement == b"handfed enrolment 1\n" + b"f" * 32 + b"s" * 32 + hashlib.sha256(PEM.encode()).digest()


def test_the_message_of_a_rotation_is_these_bytes() -> None:
    assert (
        rotation_message(7, "a" * 64, "b" * 64)
        == b"handfed key rotation 1\n7\n" + b"a" * 64 + b"\n" + b"b" * 64 + b"\n"
    )


@given(st.tuples(digests, digests, st.text()), st.tuples(digests, digests, st.text()))
def test_two_enrolments_have_the_same_statement_only_if_they_are_the_same(
    one: tuple[bytes, bytes, str], other: tuple[bytes, bytes, str]
) -> None:
    assert (enrolment_statement(*one) == enrolment_statement(*other)) == (one == other)


@given(answers)
def test_an_answer_survives_json(answer: EnrolmentAnswer) -> None:
    assert EnrolmentAnswer.from_json(json.loads(json.dumps(answer.as_json()))) == answer


@given(answers)
def test_a_newer_server_may_say_more(answer: EnrolmentAnswer) -> None:
    assert EnrolmentAnswer.from_json({**answer.as_json(), "colour": "green"}) == answer


@given(answers)
def test_an_older_server_says_nothing_of_a_registry(answer: EnrolmentAnswer) -> None:
    older = {name: value for name, value in answer.as_json().items() if name != "registry_root"}
    assert EnrolmentAnswer.from_json(older).registry_root is None


@given(values | st.lists(values) | st.dictionaries(st.sampled_from(["number", "name", "organisation_name"]), values))
def test_any_other_json_is_refused(document: Any) -> None:
    with pytest.raises(EnrolmentError):
        EnrolmentAnswer.from_json(document)


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 0},
        {"number": True},
        {"number": "7"},
        {"organisation_name": None},
        {"max_samples": 0},
        {"max_samples": "many"},
        {"name": 3},
        {"registry_root": {}},
        {"registry_root": ""},
        {"registry_root": "caf\u00e9"},
        {"registry_root": "\ud800"},
    ],
)
def test_an_answer_with_a_wrong_field_is_refused(wrong: dict[str, Any]) -> None:
    right = EnrolmentAnswer(7, "reception", "Clinic North", None).as_json()
    with pytest.raises(EnrolmentError):
        EnrolmentAnswer.from_json(right | wrong)


def test_a_refusal_is_known_by_the_end_of_its_type() -> None:
    for refusal in Refusal:
        for prefix in ("/api/v1/problems/", "https://docs.example/errors#", "urn:example:", ""):
            assert refusal_of(prefix + refusal) is refusal
    for other in ("about:blank", "", None, 3, "/api/v1/problems/unheard-of", "/api/v1/problems/conflict/"):
        assert refusal_of(other) is None


def test_the_repr_of_a_request_hides_the_secret() -> None:
    assert "c2VjcmV0" not in repr(EnrolmentRequest("c2VjcmV0", PEM, None, {}, ""))
