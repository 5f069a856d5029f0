"""Partial responses of the simulated Compute Engine."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cloudsim import masks

DOCUMENT = {
    "items": {
        "zones/a": {"instances": [{"name": "x", "nic": {"ip": "1", "mac": "m"}, "id": 1}]},
        "zones/b": {"warning": {"code": "EMPTY", "message": "none"}},
    },
    "nextPageToken": "t",
    "kind": "list",
}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("nextPageToken", {"nextPageToken": "t"}),
        ("kind,nextPageToken", {"kind": "list", "nextPageToken": "t"}),
        (
            "items/*/instances(name,nic/ip)",
            {
                "items": {
                    "zones/a": {"instances": [{"name": "x", "nic": {"ip": "1"}}]},
                    "zones/b": {},
                }
            },
        ),
        (
            "items/*/instances/nic,items/*/warning/code",
            {
                "items": {
                    "zones/a": {"instances": [{"nic": {"ip": "1", "mac": "m"}}]},
                    "zones/b": {"warning": {"code": "EMPTY"}},
                }
            },
        ),
        ("missing", {}),
    ],
)
def test_what_a_mask_leaves(text: str, left: dict[str, Any]) -> None:
    assert masks.apply(masks.parse(text), DOCUMENT) == left


def test_no_mask_leaves_all() -> None:
    assert masks.apply({}, DOCUMENT) == DOCUMENT


@pytest.mark.parametrize("text", ["a(b", "a)", "a,,b", "a/", "(a)"])
def test_what_is_no_mask(text: str) -> None:
    with pytest.raises(ValueError, match="field selection"):
        masks.parse(text)
