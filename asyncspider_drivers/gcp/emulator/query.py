"""What a request asks for: partial fields, filters, order and pages."""

from __future__ import annotations

import base64
import binascii
import operator as operators
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from .errors import ApiError, invalid

Mask = dict[str, "Mask | None"]
"""Field name -> what is wanted of it; None = all of it. ``*`` = any name."""
Predicate = Callable[[dict[str, Any]], bool]


def parse_fields(text: str) -> Mask:
    """Return the mask of a ``fields`` parameter, as ``items/*/instances(id,name),nextPageToken``.

    Raises:
        ApiError: It is malformed.
    """
    position = 0

    def fail() -> ApiError:
        return ApiError(
            400, "invalidParameter", f"Invalid field selection {text[position:] or text}"
        )

    def selections() -> Mask:
        nonlocal position
        mask: Mask = {}
        while True:
            path: list[str] = []
            while True:
                match = re.compile(r"[A-Za-z0-9_*-]+").match(text, position)
                if match is None:
                    raise fail()
                path.append(match.group())
                position = match.end()
                if text[position : position + 1] != "/":
                    break
                position += 1
            wanted: Mask | None = None
            if text[position : position + 1] == "(":
                position += 1
                wanted = selections()
                if text[position : position + 1] != ")":
                    raise fail()
                position += 1
            for name in reversed(path[1:]):
                wanted = {name: wanted}
            _add(mask, path[0], wanted)
            if text[position : position + 1] != ",":
                return mask
            position += 1

    mask = selections()
    if position != len(text):
        raise fail()
    return mask


def _add(mask: Mask, name: str, wanted: Mask | None) -> None:
    known = mask.get(name, False)
    if known is False:
        mask[name] = wanted
    elif known is None or wanted is None:
        mask[name] = None
    elif isinstance(known, dict):
        for key, value in wanted.items():
            _add(known, key, value)


def project(value: Any, mask: Mask | None) -> Any:
    """Return the part of a JSON value that a mask wants. Lists are looked through."""
    if mask is None:
        return value
    if isinstance(value, list):
        return [project(item, mask) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in mask:
        return {key: project(item, mask.get(key, mask["*"])) for key, item in value.items()}
    return {key: project(value[key], wanted) for key, wanted in mask.items() if key in value}


_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<word>AND\b|OR\b|NOT\b)|(?P<op>!=|<=|>=|=|<|>|:)|"""
    r"""(?P<string>"(?:[^"\\]|\\.)*")|(?P<text>[^\s()=!<>:"]+))"""
)


def parse_filter(text: str) -> Predicate:
    """Return the test of a ``filter``, as ``name=web-1`` or ``(status="RUNNING") AND labels.a:*``.

    Knows what the reference names: ``= != > < <= >= :``, ``eq``/``ne`` with a regular
    expression, ``AND``, ``OR``, ``NOT``, parentheses, and nested fields.

    Raises:
        ApiError: It is malformed.
    """
    tokens: list[str] = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise invalid("filter", text, "Invalid list filter expression.")
        tokens.append(match.group().strip())
        position = match.end()
    tokens.reverse()

    def peek() -> str:
        return tokens[-1] if tokens else ""

    def take() -> str:
        if not tokens:
            raise invalid("filter", text, "Invalid list filter expression.")
        return tokens.pop()

    def disjunction() -> Predicate:
        parts = [conjunction()]
        while peek() == "OR":
            take()
            parts.append(conjunction())
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def conjunction() -> Predicate:
        parts = [term()]
        while peek() not in ("", "OR", ")"):
            if peek() == "AND":
                take()
            parts.append(term())
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def term() -> Predicate:
        word = take()
        if word == "NOT":
            inner = term()
            return lambda item: not inner(item)
        if word == "(":
            inner = disjunction()
            if take() != ")":
                raise invalid("filter", text, "Invalid list filter expression.")
            return inner
        return _comparison(word, take(), take(), text)

    predicate = disjunction()
    if tokens:
        raise invalid("filter", text, "Invalid list filter expression.")
    return predicate


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    ">": operators.gt,
    "<=": operators.le,
    ">=": operators.ge,
}


def _comparison(field: str, operator: str, value: str, text: str) -> Predicate:
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    path = field.split(".")

    def read(item: Any) -> Any:
        for name in path:
            if not isinstance(item, dict) or name not in item:
                return None
            item = item[name]
        return item

    def equal(found: Any) -> bool:
        if isinstance(found, bool):
            return value == ("true" if found else "false")
        return found is not None and str(found) == value

    if operator == "=":
        return lambda item: equal(read(item))
    if operator == "!=":
        return lambda item: not equal(read(item))
    if operator == ":":
        if value == "*":
            return lambda item: read(item) not in (None, "", [], {})
        return lambda item: value.lower() in str(read(item) or "").lower()
    if operator in ("eq", "ne"):
        pattern = re.compile(value)
        wanted = operator == "eq"
        return lambda item: (pattern.fullmatch(str(read(item) or "")) is not None) == wanted
    if operator in _ORDER:
        compare = _ORDER[operator]

        def ordered(item: dict[str, Any]) -> bool:
            found = read(item)
            left: Any = str(found or "")
            right: Any = value
            with suppress(InvalidOperation):
                left, right = Decimal(left), Decimal(right)  # ids have more digits than a float
            return compare(left, right)

        return ordered
    raise invalid("filter", text, "Invalid list filter expression.")


def encode_token(key: str) -> str:
    """Return the page token for a page that begins after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def decode_token(token: str) -> str:
    """Return the key of a page token.

    Raises:
        ApiError: It is none.
    """
    try:
        return base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise invalid("pageToken", token, "") from None


def page_size(text: str | None) -> int:
    """Return the value of ``maxResults``: 0 to 500, 500 when absent.

    Raises:
        ApiError: It is out of range.
    """
    if text is None:
        return 500
    if not text.isdecimal() or int(text) > 500:
        raise invalid("maxResults", text, "Values must be within the range: [0, 500]")
    return int(text) or 500
