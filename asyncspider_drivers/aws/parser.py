"""EC2's XML, decoded straight into the structs of `wire`."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from lxml import etree

from asyncspider import ProtocolError

Decode = Callable[[Any], Any]

_NAMESPACE = re.compile(rb"""\sxmlns=("[^"]*"|'[^']*')""")
_HEAD = 1024  # the namespace stands in the first tag


def parse(body: bytes) -> Any:
    """Return the root element of a document, its tags without a namespace.

    Raises:
        ProtocolError: It is no XML, or not all of it.
    """
    # EC2 puts everything into one namespace; without it, a tag is a plain short name.
    body = _NAMESPACE.sub(b"", body[:_HEAD], count=1) + body[_HEAD:]
    # A parser may not be shared by threads, and costs a few microseconds to make.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=True, collect_ids=False
    )
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProtocolError(f"the answer is no complete XML: {error}") from error


def decode(body: bytes, operation: str, kind: type[msgspec.Struct]) -> Any:
    """Return a document as a struct.

    Args:
        body: The document.
        operation: The call that it answers, as its root element says.
        kind: The struct.

    Raises:
        ProtocolError: It is no XML, an answer to something else, or holds a value that does
            not fit its field.
    """
    root = parse(body)
    if root.tag != f"{operation}Response":
        raise ProtocolError(f"the answer is a document {root.tag!r}, not {operation}Response")
    try:
        return _decoder(kind)(root)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"the answer holds a value that can't be read: {error}") from error


def decode_error(body: bytes) -> tuple[str, str, str]:
    """Return code, message and request id of an error document; empty for any other body."""
    try:
        root = parse(body)
    except ProtocolError:
        return "", "", ""

    def text(*names: str) -> str:
        return next((node.text or "" for name in names for node in root.iter(name)), "")

    return text("Code"), text("Message"), text("RequestID", "RequestId")


@cache
def _decoder(kind: Any) -> Decode:
    """Return what makes a `kind` of an element, built once from the struct's annotations."""
    if kind is str:
        return lambda node: node.text or ""
    if kind is int:
        return lambda node: int(node.text)
    if kind is bool:
        return lambda node: node.text == "true"
    if kind is datetime:
        return lambda node: datetime.fromisoformat(node.text)
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is list:
        item = _decoder(arguments[0])
        return lambda node: [item(child) for child in node]
    if isinstance(kind, types.UnionType):
        [inner] = (argument for argument in arguments if argument is not types.NoneType)
        some = _decoder(inner)
        if issubclass(inner, msgspec.Struct):
            return some
        return lambda node: some(node) if node.text else None
    return _struct_decoder(kind)


def _struct_decoder(kind: type[msgspec.Struct]) -> Decode:
    # Text, by far the most of it, is read without a call; everything else by its decoder.
    table: dict[str, tuple[str, Decode | None]] = {}

    def build(node: Any) -> Any:
        found = {}
        for child in node:
            field = table.get(child.tag)
            if field is not None:
                name, decoder = field
                found[name] = (child.text or "") if decoder is None else decoder(child)
        return kind(**found)

    for field in msgspec.structs.fields(kind):
        table[field.encode_name] = (
            field.name,
            None if field.type is str else _decoder(field.type),
        )
    return build
