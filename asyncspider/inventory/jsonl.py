"""Outcomes as JSON Lines, out and in, loss-free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from ..errors import InvalidRequestError
from ..fleet import Outcome
from ..secrets import MASK, Secret


def _enc_hook(value: Any) -> Any:
    if isinstance(value, Secret):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


def _dec_hook(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret("" if value == MASK else value)
    raise NotImplementedError(f"{kind.__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_enc_hook)
_decoder = msgspec.json.Decoder(Outcome, dec_hook=_dec_hook)


def encode_jsonl(outcomes: Iterable[Outcome]) -> bytes:
    """Return outcomes as JSON, one to a line. Secrets are masked."""
    return _encoder.encode_lines(outcomes)


def decode_json(line: bytes | str) -> Outcome:
    """Return the outcome of one line.

    Raises:
        InvalidRequestError: It is none.
    """
    try:
        return _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise InvalidRequestError(f"not an outcome of a scan: {error}") from error


class JsonLinesWriter:
    """Writes outcomes to a file as they come.

    The file is written beside its name and put in place when it is complete, so that a reader
    never sees half of one; left with an exception, no file is left.

    Args:
        path: The file.

    Raises:
        OSError: It can't be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.bytes_written = 0
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._file = self._partial.open("wb")

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Write outcomes, each on a line."""
        self.bytes_written += self._file.write(encode_jsonl(outcomes))

    def close(self) -> None:
        """Put the file in place."""
        if not self._file.closed:
            self._file.close()
            self._partial.replace(self.path)

    def discard(self) -> None:
        """Remove what was written."""
        if not self._file.closed:
            self._file.close()
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is None:
            self.close()
        else:
            self.discard()


def read_jsonl(path: str | Path) -> Iterator[Outcome]:
    """Yield the outcomes of a file.

    Raises:
        InvalidRequestError: A line is none; the message has its number.
        OSError: The file can't be read.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield decode_json(line)
                except InvalidRequestError as error:
                    raise InvalidRequestError(f"{path}, line {number}: {error.message}") from error
