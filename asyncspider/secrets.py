"""Values that must never be printed."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import NoReturn

MASK = "***"


class Secret:
    """A text that shows itself only on request.

    ``repr``, ``str``, ``format`` and logging print ``***``. It can't be pickled, and an
    encoder of this package writes the mask. Two secrets compare by value, in constant time.

    Example:
        >>> Secret("hunter2")
        Secret('***')
        >>> Secret("hunter2").reveal()
        'hunter2'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself. Keep the result out of logs and messages."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self._value else "Secret('')"

    def __str__(self) -> str:
        return MASK if self._value else ""

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled; pass reveal() on where it is really needed")


NO_SECRET = Secret()
"""The empty secret: what a struct holds where a cloud gave none."""


class MaskedDict(dict[str, str]):
    """A ``dict`` of text whose ``repr`` shows the keys and masks the values."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with every occurrence of the given values masked.

    Clouds quote parts of a request in some error messages (a canonical request with its
    session token, for one), so messages pass through here before anyone sees them. Values
    shorter than six characters are left alone: masking them would garble ordinary words.
    """
    for value in sorted(secrets, key=len, reverse=True):
        if len(value) >= 6 and value in text:
            text = text.replace(value, MASK)
    return text
