"""What must never be printed."""

from __future__ import annotations

import copy
import logging
import pickle
from io import StringIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.pretty import pprint

from asyncspider import ConnectionInfo, CredentialInfo, InvalidRequestError, Secret
from asyncspider.secrets import MASK, redact
from asyncspider.testing.connecting import printed

WORD = "correct-horse-battery"


def test_a_secret_shows_itself_only_on_request() -> None:
    secret = Secret(WORD)
    assert secret.reveal() == WORD
    assert WORD not in printed(secret)
    assert WORD not in f"{secret:>40} {secret!r} {secret!s} %s %r" % (secret, secret)
    assert (str(secret), repr(secret)) == ("***", "Secret('***')")


def test_an_empty_secret_is_seen_to_be_empty() -> None:
    assert (str(Secret()), repr(Secret()), bool(Secret()), len(Secret())) == (
        "", "Secret('')", False, 0,
    )  # fmt: skip


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("é") == Secret("é")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_secret_is_not_pickled_but_copied() -> None:
    secret = Secret(WORD)
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.copy(secret) == copy.deepcopy(secret) == secret


def test_logging_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("a users log")
    info = ConnectionInfo(credential_info=CredentialInfo(key_values={"password": WORD}))
    log.warning("connecting with %s, %r and %s", info, info.credential_info, Secret(WORD))
    try:
        raise ValueError(info)
    except ValueError:
        log.exception("it failed: %s", info)
    assert "password" in caplog.text
    assert WORD not in caplog.text


def test_rich_shows_no_secret() -> None:
    console = Console(file=StringIO(), width=100)
    info = ConnectionInfo(credential_info=CredentialInfo(key_values={"password": WORD}))
    pprint(info, console=console, expand_all=True)
    console.print(info, [info], {"x": info.credential_info.key_values})
    try:
        secret, local = Secret(WORD), info
        raise ValueError((secret, local))
    except ValueError:
        console.print_exception(show_locals=True)
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "password" in text
    assert WORD not in text.replace('WORD = "correct-horse-battery"', "")


def test_changing_a_connection_info_keeps_the_mask() -> None:
    info = ConnectionInfo(credential_info=CredentialInfo(key_values={"password": WORD}))
    again = msgspec.structs.replace(info, endpoint_url="http://127.0.0.1:1")
    more = CredentialInfo(key_values={**info.credential_info.key_values, "user": "me"})
    for thing in (again, more, copy.copy(info), copy.deepcopy(info), msgspec.structs.asdict(info)):
        assert WORD not in printed(thing)


@pytest.mark.parametrize("values", [{"key": 1}, {1: "value"}, {"key": None}])
def test_keys_and_values_are_text(values: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError, match="text"):
        CredentialInfo(key_values=values)


@given(before=st.text(), after=st.text(), secret=st.text(min_size=6), other=st.text(min_size=6))
def test_redact_leaves_nothing(before: str, after: str, secret: str, other: str) -> None:
    text = redact(f"{before}{secret}{after}{other}{secret}", [other, secret])
    for value in (secret, other):
        # What the mask itself makes up is no secret.
        assert value not in text or value in f"{before}{MASK}{after}{MASK}{MASK}" or "*" in value


def test_redact_leaves_short_words_alone() -> None:
    assert redact("the region is us", ["us", ""]) == "the region is us"


def test_redact_masks_the_longer_of_two_first() -> None:
    assert redact("token-abcdef", ["abcdef", "token-abcdef"]) == MASK
