"""The tree of errors."""

from __future__ import annotations

import copy
import pickle

import pytest

import asyncspider
from asyncspider import (
    DeadlineExceededError,
    ErrorInfo,
    NotEnabledError,
    PartialListError,
    PermissionDeniedError,
    SpiderError,
    ThrottledError,
    UnavailableError,
    Unreachable,
    errors,
)

NAMED = [
    "AuthenticationError",
    "PermissionDeniedError",
    "NotFoundError",
    "ConflictError",
    "InvalidRequestError",
    "QuotaExceededError",
    "ThrottledError",
    "UnavailableError",
    "DeadlineExceededError",
    "NotSupportedError",
    "ProtocolError",
    "PartialListError",
]
RETRYABLE = {ThrottledError, UnavailableError, DeadlineExceededError}


@pytest.mark.parametrize("name", NAMED)
def test_each_class_is_a_spider_error_with_its_retryable(name: str) -> None:
    kind = getattr(asyncspider, name)
    assert kind is getattr(errors, name)
    assert issubclass(kind, SpiderError)
    assert kind("x").retryable is (kind in RETRYABLE)
    assert kind("x", retryable=True).retryable is True


def test_not_enabled_is_a_kind_of_denied() -> None:
    assert issubclass(NotEnabledError, PermissionDeniedError)


def full(kind: type[SpiderError] = ThrottledError) -> SpiderError:
    return kind(
        "too fast",
        driver="aws",
        region="us-east-1",
        operation="DescribeInstances",
        code="RequestLimitExceeded",
        request_id="r-1",
        status=503,
        retry_after=2.5,
    )


def test_the_text_tells_where_what_and_the_clouds_words() -> None:
    text = str(full())
    assert text == (
        "aws us-east-1 DescribeInstances: too fast (RequestLimitExceeded, HTTP 503, request r-1)"
    )
    assert repr(full()) == f"ThrottledError({text!r})"
    assert str(SpiderError("alone")) == "alone"
    assert str(SpiderError("with code", code="C")) == "with code (C)"


def test_an_error_as_data() -> None:
    assert full().info() == ErrorInfo(
        error="ThrottledError",
        message="too fast",
        code="RequestLimitExceeded",
        status=503,
        operation="DescribeInstances",
        request_id="r-1",
        retryable=True,
    )
    assert str(full().info()) == "ThrottledError: too fast"
    assert str(ErrorInfo(error="KeyError")) == "KeyError"


@pytest.mark.parametrize("name", NAMED)
def test_errors_survive_pickle_and_copy(name: str) -> None:
    error = full(getattr(asyncspider, name))
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__


def test_a_partial_list_keeps_both_halves() -> None:
    lost = Unreachable(region="r", zone="z", error=UnavailableError("down"))
    error = PartialListError("z is missing", items=(1, 2), unreachable=[lost], driver="gcp")
    assert error.items == [1, 2]
    assert error.unreachable == [lost]
    assert error.driver == "gcp"
    assert PartialListError("x").items == []
