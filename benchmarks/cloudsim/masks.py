"""Google's partial responses: the ``fields`` parameter, for any document."""

from __future__ import annotations

from typing import Any

Mask = dict[str, "Mask"]
"""What to keep of an object; an empty one keeps all. ``*`` stands for every name."""


def parse(text: str) -> Mask:
    """Return the mask that a text as ``a,b/c,d(e,f/g)`` means.

    Raises:
        ValueError: It is none.
    """
    mask, rest = _selection(text)
    if rest:
        raise ValueError(f"invalid field selection {text!r}")
    return mask


def _selection(text: str) -> tuple[Mask, str]:
    mask: Mask = {}
    while True:
        branch = mask
        while True:
            end = next((i for i, c in enumerate(text) if c in ",/()"), len(text))
            if not end:
                raise ValueError("a name is missing in the field selection")
            name, text = text[:end], text[end:]
            branch = branch.setdefault(name, {})
            if not text.startswith("/"):
                break
            text = text[1:]
        if text.startswith("("):
            inner, text = _selection(text[1:])
            branch.update(inner)
            if not text.startswith(")"):
                raise ValueError("a bracket is not closed in the field selection")
            text = text[1:]
        if not text.startswith(","):
            return mask, text
        text = text[1:]


def below(mask: Mask | None, *names: str) -> Mask | None:
    """Return the mask of what is at a path, None when it is left out."""
    for name in names:
        if mask is None or not mask:
            return mask
        mask = mask[name] if name in mask else mask.get("*")
    return mask


def apply(mask: Mask | None, value: Any) -> Any:
    """Return what a mask leaves of a document."""
    if mask is None:
        return None
    if not mask:
        return value
    if isinstance(value, list):
        return [apply(mask, item) for item in value]
    if isinstance(value, dict):
        return {
            name: apply(inner, item)
            for name, item in value.items()
            if (inner := below(mask, name)) is not None
        }
    return value
