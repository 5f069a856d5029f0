"""Where services are, by the catalogue of a token."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1.access import AccessInfoV3

from asyncspider_drivers.openstack.session import _Catalogue, _interfaces


def endpoint(region: str, url: str, interface: str = "public") -> dict[str, Any]:
    return {"interface": interface, "region": region, "region_id": region, "url": url}


def catalogue(*services: dict[str, Any]) -> _Catalogue:
    return _Catalogue(AccessInfoV3({"token": {"catalog": list(services)}}, auth_token="t"))


NOVA = {
    "type": "compute",
    "name": "nova",
    "endpoints": [
        endpoint("one", "http://one/compute"),
        endpoint("two", "http://two/compute"),
        endpoint("one", "http://one/inside", "internal"),
    ],
}


def test_each_region_has_its_url() -> None:
    known = catalogue(NOVA)
    assert known.regions("compute", "public") == {"one", "two"}
    assert known.regions("network", "public") == set()
    assert known.url("compute", "public", "two", None) == "http://two/compute"
    assert known.url("compute", "internal", "one", "nova") == "http://one/inside"


@pytest.mark.parametrize(
    "question",
    [
        ("compute", "public", "three", None),
        ("compute", "public", "one", "other"),
        ("image", "public", "one", None),
        ("compute", "admin", "one", None),
    ],
)
def test_what_is_not_there(question: tuple[str, str, str, str | None]) -> None:
    assert catalogue(NOVA).url(*question) is None


def test_what_is_not_plain_is_left_to_keystoneauth() -> None:
    second = {**NOVA, "name": "nova-next", "endpoints": [endpoint("one", "http://next/compute")]}
    known = catalogue(NOVA, second)
    assert known.url("compute", "public", "one", None) is None
    assert known.url("compute", "public", "one", "nova-next") == "http://next/compute"
    assert known.url("compute", "public", "two", None) == "http://two/compute"


def test_interfaces_in_the_order_of_preference() -> None:
    assert _interfaces(None) == ["public"]
    assert _interfaces("internalURL") == ["internal"]
    assert _interfaces(["admin", "public"]) == ["admin", "public"]
