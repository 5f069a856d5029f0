"""EC2's XML, decoded straight into the structs of `wire`.

Walking a tree of elements in Python is what makes XML slow. So nothing is walked here: an XSL
transformation, made once from a struct's annotations, writes what the struct reads as JSON, and
msgspec decodes that. All but the last step runs in C without the interpreter's lock, so that
pages which are decoded in worker threads hold up nobody.
"""

from __future__ import annotations

import re
import secrets
import threading
import types
import typing
from datetime import datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec
from lxml import etree

from asyncspider import ProtocolError
from asyncspider.transport import decoding

_NAMESPACE = re.compile(rb"""\sxmlns=("[^"]*"|'[^']*')""")
_HEAD = 1024  # the namespace stands in the first tag
# Stands for a quotation mark of ours. Nobody else can write it: the first character is none that
# anybody may use in a document, and the rest is not known outside this process.
_QUOTE = "\U0001fffe" + secrets.token_hex(3)


def parse(body: bytes) -> Any:
    """Return the root element of a document, its tags without a namespace.

    Raises:
        ProtocolError: It is no XML, not all of it, or declares a document type.
    """
    # EC2 puts everything into one namespace; without it, a tag is a plain short name.
    body = b"".join((_NAMESPACE.sub(b"", body[:_HEAD], count=1), memoryview(body)[_HEAD:]))
    # A parser may not be shared by threads, and costs a few microseconds to make.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=True,
        collect_ids=False,
        remove_blank_text=True,  # indentation is a fifth of all nodes
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ProtocolError(f"the answer is no complete XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ProtocolError("the answer declares a document type, which EC2 never does")
    return root


def decode(body: bytes, operation: str, kind: type[msgspec.Struct]) -> Any:
    """Return a document as a struct.

    Args:
        body: The document.
        operation: The call that it answers, as its root element says.
        kind: The struct, decoded from arrays (``array_like``).

    Raises:
        ProtocolError: It is no XML, an answer to something else, or holds a value that does
            not fit its field.
    """
    root = parse(body)
    if root.tag != f"{operation}Response":
        raise ProtocolError(f"the answer is a document {root.tag!r}, not {operation}Response")
    transform, decoder = _tools(kind)
    try:
        return decoding.decode(decoder, _as_json(bytes(transform(root))))
    except (msgspec.DecodeError, etree.XSLTError, UnicodeError) as error:
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


def _as_json(text: bytes) -> bytes:
    """Escape what a document's own text holds, then put in our quotation marks."""
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text.replace(_QUOTE.encode(), b'"')


_ESCAPES = ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"))


# -- from a struct to its transformation

_Tools = tuple[etree.XSLT, "msgspec.json.Decoder[Any]"]
_made = threading.local()  # lxml copies a transformation when another thread uses it


def _tools(kind: type[msgspec.Struct]) -> _Tools:
    """Return the transformation and the decoder for a struct, made once in each thread."""
    known: dict[Any, _Tools] = _made.__dict__
    found = known.get(kind)
    if found is None:
        found = known[kind] = etree.XSLT(etree.XML(_stylesheet(kind))), msgspec.json.Decoder(kind)
    return found


def _stylesheet(kind: type[msgspec.Struct]) -> str:
    return (
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:output method="text" encoding="utf-8"/>'
        f'<xsl:template match="/*">{_struct(kind)}</xsl:template></xsl:stylesheet>'
    )


def _struct(kind: type[msgspec.Struct]) -> str:
    """Return what writes the current element as an array of a struct's fields."""
    fields = (_field(field.encode_name, field.type) for field in msgspec.structs.fields(kind))
    return f"[{','.join(fields)}]"


def _field(name: str, kind: Any) -> str:
    """Return what writes a child of the current element; one that is not there has its default."""
    if typing.get_origin(kind) is list:
        [inner] = typing.get_args(kind)
        comma = '<xsl:if test="position()!=1">,</xsl:if>'
        return f'[<xsl:for-each select="{name}/*">{comma}{_value(inner)}</xsl:for-each>]'
    if kind is str:
        return f'{_QUOTE}<xsl:value-of select="{name}"/>{_QUOTE}'
    if kind is bool:
        return f"""<xsl:value-of select={quoteattr(f"{name}='true'")}/>"""
    missing = "null"
    if isinstance(kind, types.UnionType):
        [kind] = (part for part in typing.get_args(kind) if part is not types.NoneType)
    else:
        missing = "[]"  # a struct of nothing but defaults
    there = name if issubclass(kind, msgspec.Struct) else f"{name}[text()]"
    return (
        f'<xsl:for-each select="{there}">{_value(kind)}</xsl:for-each>'
        f'<xsl:if test="not({there})">{missing}</xsl:if>'
    )


def _value(kind: Any) -> str:
    """Return what writes the current element itself."""
    if kind is str or kind is datetime:
        return f'{_QUOTE}<xsl:value-of select="."/>{_QUOTE}'
    if kind is int:
        return '<xsl:value-of select="number()"/>'
    return _struct(kind)
