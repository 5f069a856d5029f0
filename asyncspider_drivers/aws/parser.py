"""EC2's XML, read straight into the structs of `wire` while it arrives.

A page of 1,000 instances has 290,000 tags, and nearly all of them are the same few hundred again.
So nobody looks at tags one by one: a document is cut at every ``</``, and the text between two
cuts, which closes one element and opens the next, is looked up among those seen before. What was
not seen yet is taken apart by the rules of XML, checked, and remembered as a step from one place
in the document to another. Most steps are a single look-up in a dictionary; no tree is ever built,
and what many instances have in common is one string in memory.

Comments, CDATA sections and attributes are read as XML has them, though EC2 sends none of the
first two. A document type is refused, and so is what is not well-formed where it matters: tags
that do not match, references that nobody declared, an end that does not come.
"""

from __future__ import annotations

import codecs
import io
import re
import types
import typing
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from asyncspider import ProtocolError

from . import wire

SLICE = 128 * 1024
"""Bytes to feed at once: less than a millisecond's work."""

_MOST_WHOLES = 32
_MOST_KNOWN = 20_000
_EMPTY: list[Any] = []  # an empty list in a struct, never changed

_CLOSE = re.compile(r"([^\s<>/]+)\s*>")
_NAME = r"""[^\s<>/=!?&;"']+"""
_OPEN = re.compile(rf"""<({_NAME})(?:\s+{_NAME}\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(/?)>""")
_INSTRUCTION = re.compile(r"<\?[^<>]*\?>")
_ENCODING = re.compile(r"""<\?xml\s[^<>]*encoding\s*=\s*["'](?!utf-?8["'])""", re.IGNORECASE)
_SECTION = re.compile(r"<!(?:--.*?--|\[CDATA\[(.*?)\]\])>", re.DOTALL)
_SECTIONS = ("<!--", "<![CDATA[")
_REFERENCE = re.compile(r"&(?:(\w+)|#(\d+)|#x([0-9a-fA-F]+));|&")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}

_Step = tuple["_Place", "tuple[tuple[bool, _Place], ...] | None", int, Any]
"""What a piece does: the place after it; structs that it opens (True) or closes (False), in order;
the field that the text at its end is for, -1 = none; and that text's value, or, for a step that
fits any text, what makes a value of it (None = it is one)."""


class _Place:
    """An element at its path in a document, and the steps that are known from there."""

    __slots__ = (
        "children",
        "convert",
        "defaults",
        "heads",
        "is_text",
        "item",
        "kind",
        "listed",
        "name",
        "parent",
        "slot",
        "wholes",
    )

    def __init__(self, name: str, parent: _Place | None, slot: int = -1, kind: Any = None) -> None:
        self.name = name
        self.parent = parent
        self.slot = slot  # the field, of the struct around it, that it is for
        self.listed = parent is not None and parent.item is not None
        self.children: dict[str, _Place] = {}
        self.item: Any = None  # of a list: the type of its items
        self.kind: Any = None  # the struct that it is
        self.defaults: list[Any] = []
        self.is_text = False  # that somebody reads
        self.convert: Callable[[str], Any] | None = None  # what makes a value of it; None = itself
        self.wholes: dict[str, _Step] | None = {}  # steps by the whole piece
        self.heads: dict[str, _Step] = {}  # steps by the piece without the text at its end
        if kind is None:
            return
        if isinstance(kind, types.UnionType):
            [kind] = (part for part in typing.get_args(kind) if part is not types.NoneType)
        if typing.get_origin(kind) is list:
            [self.item] = typing.get_args(kind)
        elif issubclass(kind, msgspec.Struct):
            self.kind = kind
            self.defaults = [default for _, default in _fields(kind).values()]
        else:
            self.is_text, self.convert = True, _CONVERT[kind]


@cache  # one for each struct of `wire`
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, Any]]:
    """Return type and default of a struct's fields by their elements' names, in order."""
    return {
        field.encode_name: (
            field.type,
            _EMPTY if field.default_factory is list else field.default,
        )
        for field in msgspec.structs.fields(kind)
    }


class _Plan:
    """What is known of the documents that answer one call."""

    def __init__(self, root: str, kind: type[msgspec.Struct]) -> None:
        self.start = _Place("", None)
        self.end = _Place("", None)
        self._root = root
        self._kind = kind
        self._room = _MOST_KNOWN

    def learn(self, place: _Place, piece: str) -> _Step:
        """Return the step that a piece does which was not seen from this place yet.

        Raises:
            ProtocolError: It is not well-formed, or the document is another one.
            ValueError: A value does not fit its field.
        """
        structs: list[tuple[bool, _Place]] = []
        here = place
        at = 0
        if place is self.start:
            if _ENCODING.search(piece):
                raise ProtocolError("the answer is no XML in UTF-8")
            at = int(piece.startswith("\ufeff"))
        else:
            here, at = self._closed(place, piece, structs)
        while (following := piece.find("<", at)) >= 0:
            self._check_outside(here, piece[at:following])
            instruction = _INSTRUCTION.match(piece, following)
            if instruction:
                at = instruction.end()
                continue
            tag = _OPEN.match(piece, following)
            if tag is None:
                raise ProtocolError(
                    f"the answer is no XML: {piece[following : following + 40]!r} is no tag"
                )
            at = tag.end()
            here = self._child(here, tag[1])
            if here.kind is not None:
                structs.append((True, here))
            if tag[2]:
                here = self._left(here, structs)
        text = piece[at:]
        self._check_outside(here, text)
        slot = here.slot if here.is_text else -1
        convert = here.convert
        step = here, tuple(structs) or None, slot
        # What stands outside of the root is looked at each time.
        if ">" not in text and here.parent is not None and self._room > 0:
            self._room -= 1
            place.heads[piece[: at - 1]] = *step, convert
        return *step, _text(text) if convert is None else convert(text)

    def _closed(
        self, place: _Place, piece: str, structs: list[tuple[bool, _Place]]
    ) -> tuple[_Place, int]:
        tag = _CLOSE.match(piece)
        if tag is None or tag[1] != place.name:
            raise ProtocolError(
                f"the answer is no XML: {place.name!r} is closed by {'</' + piece[:40]!r}"
            )
        return self._left(place, structs), tag.end()

    def _left(self, place: _Place, structs: list[tuple[bool, _Place]]) -> _Place:
        if place.kind is not None:
            structs.append((False, place))
        return self.end if place.parent is self.start or place.parent is None else place.parent

    def _check_outside(self, place: _Place, text: str) -> None:
        if place.parent is None and text.strip():
            raise ProtocolError(f"the answer is no XML: {text.strip()[:40]!r} is outside of it")

    def _child(self, place: _Place, name: str) -> _Place:
        child = place.children.get(name)
        if child is None:
            child = self._new_child(place, name)
            if self._room > 0:
                self._room -= 1
                place.children[name] = child
        return child

    def _new_child(self, place: _Place, name: str) -> _Place:
        if place is self.start:
            if self._root not in ("", name):
                raise ProtocolError(f"the answer is a document {name!r}, not {self._root}")
            return _Place(name, place, 0, self._kind)
        if place is self.end:
            raise ProtocolError(f"the answer is no XML: {name!r} comes after its end")
        if place.item is not None:
            return _Place(name, place, place.slot, place.item)
        if place.kind is not None:
            for slot, (field, (kind, _)) in enumerate(_fields(place.kind).items()):
                if field == name:
                    return _Place(name, place, slot, kind)
        return _Place(name, place)  # nobody reads what is in it


@cache  # one for each call that the driver makes
def _plan(root: str, kind: type[msgspec.Struct]) -> _Plan:
    return _Plan(root, kind)


class Reader:
    """Reads one document as it arrives.

    Args:
        operation: The call that it answers, as its root element says; ``""`` = any.
        kind: The struct that it becomes.
    """

    def __init__(self, operation: str, kind: type[msgspec.Struct]) -> None:
        self._plan = _plan(f"{operation}Response" if operation else "", kind)
        self._place = self._plan.start
        self._record: list[Any] = [None]  # fields of the innermost struct
        self._records: list[list[Any]] = []  # those of the ones around it
        self._tail = ""
        decoder = codecs.getincrementaldecoder("utf-8")()
        self._decode = io.IncrementalNewlineDecoder(decoder, translate=True).decode

    def feed(self, chunk: bytes | memoryview) -> None:
        """Read on.

        Raises:
            ProtocolError: It is no XML, an answer to something else, or holds a value that does
                not fit its field.
        """
        try:
            self._take(self._decode(chunk), last=False)  # pyright: ignore[reportArgumentType]
        except ValueError as error:
            raise _unreadable(error) from error

    def close(self) -> Any:
        """Return the struct.

        Raises:
            ProtocolError: As for `feed`, or the document is not complete.
        """
        try:
            self._take(self._decode(b"", final=True), last=True)  # pyright: ignore[reportArgumentType]
        except ValueError as error:
            raise _unreadable(error) from error
        if self._place is not self._plan.end:
            raise ProtocolError("the answer is no complete XML: it breaks off")
        return self._record[0]

    def _take(self, text: str, last: bool) -> None:
        text, left = self._tail + text, ""
        if "<!" in text:
            text, left = _without_sections(text)
        if last:
            self._read((text + left).split("</"))
            return
        cut = text.rfind("</")
        if cut < 0:
            self._tail = text + left
            return
        self._tail = text[cut + 2 :] + left
        self._read(text[:cut].split("</"))

    def _read(self, pieces: list[str]) -> None:
        place, record, records = self._place, self._record, self._records
        learn = self._plan.learn
        for piece in pieces:
            wholes = place.wholes
            step = None if wholes is None else wholes.get(piece)
            if step is not None:
                place, structs, slot, value = step
            else:
                head, _, value = piece.rpartition(">")
                step = place.heads.get(head)
                if step is None or "<" in value:
                    place, structs, slot, value = learn(place, piece)
                else:
                    before = place
                    place, structs, slot, convert = step
                    if convert is not None:
                        value = convert(value)
                    elif slot >= 0 and "&" in value:
                        value = _text(value)
                    if wholes is not None:
                        if len(wholes) < _MOST_WHOLES:
                            wholes[piece] = place, structs, slot, value
                        else:  # texts differ here: they are not worth to be remembered
                            before.wholes = None
            if structs is not None:
                for opened, struct in structs:
                    if opened:
                        records.append(record)
                        record = struct.defaults.copy()
                        continue
                    made = struct.kind(*record)
                    record = records.pop()
                    if not struct.listed:
                        record[struct.slot] = made
                    elif record[struct.slot] is _EMPTY:
                        record[struct.slot] = [made]
                    else:
                        record[struct.slot].append(made)
            if slot >= 0:
                record[slot] = value
        self._place, self._record = place, record


def _unreadable(error: ValueError) -> ProtocolError:
    return ProtocolError(f"the answer holds a value that can't be read: {error}")


def decode(body: bytes, operation: str, kind: type[msgspec.Struct]) -> Any:
    """Return a whole document as a struct; arguments and errors as for `Reader`."""
    reader = Reader(operation, kind)
    for start in range(0, len(body), SLICE):
        reader.feed(body[start : start + SLICE])
    return reader.close()


def decode_error(body: bytes) -> tuple[str, str, str]:
    """Return code, message and request id of an error document; empty for any other body."""
    try:
        answer: wire.Problems = decode(body, "", wire.Problems)
    except ProtocolError:
        return "", "", ""
    first = answer.errors[0] if answer.errors else wire.Problem()
    return first.code, first.message, answer.request_id


# -- text


def _without_sections(text: str) -> tuple[str, str]:
    """Return text without comments and CDATA marks, and what is left of a section not all there.

    Raises:
        ProtocolError: A document type is declared.
    """
    parts: list[str] = []
    at = 0
    while (start := text.find("<!", at)) >= 0:
        parts.append(text[at:start])
        section = _SECTION.match(text, start)
        if section is None:
            left = text[start:]
            if not any(left.startswith(mark) or mark.startswith(left) for mark in _SECTIONS):
                raise ProtocolError("the answer declares a document type, which EC2 never does")
            return "".join(parts), left
        parts.append(escape(section[1] or ""))
        at = section.end()
    parts.append(text[at:])
    return "".join(parts), ""


def _text(text: str) -> str:
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _referred(reference: re.Match[str]) -> str:
    name, number, hexadecimal = reference.groups()
    if name in _ENTITIES:
        return _ENTITIES[name]
    if number or hexadecimal:
        code = int(number) if number else int(hexadecimal, 16)
        if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:  # halves of a pair are no text
            return chr(code)
    raise ProtocolError(f"the answer is no XML: {reference[0]!r} stands for nothing")


def _number(text: str) -> int | None:
    return int(text) if text else None


def _time(text: str) -> datetime | None:
    if not text:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


_CONVERT: dict[type, Callable[[str], Any] | None] = {
    str: None,
    int: _number,
    bool: "true".__eq__,
    datetime: _time,
}
