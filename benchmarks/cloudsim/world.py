"""What there is: regions, machines, and the values that differ from one machine to the next."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
    "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1", "ap-south-1",
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2",
)  # fmt: skip
"""Names that a real account has by default; more are made up when more are asked for."""

PROJECT = "bench-project"
"""The project on Compute Engine."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How big the clouds are and how they behave."""

    regions: int = 17
    """Number of regions; each has three zones."""
    vms: int = 2000
    """Different VMs in each region."""
    repeat: int = 1
    """How often each region's list of VMs is told over again: long lists from little memory."""
    page_size: int | None = None
    """Most items on a page, None = each cloud's own (EC2 1000, Compute Engine 500, Nova 1000)."""
    latency: float = 0.0
    """Added before each answer, in seconds."""
    rate: float | None = None
    """Requests a second in each region before they are refused, None = no bound."""
    burst: int = 100
    """Requests that may come at once before `rate` bites."""
    dead: frozenset[str] = frozenset()
    """Regions (on Compute Engine also zones) that reset every connection."""
    clouds: frozenset[str] = frozenset({"aws", "gcp", "openstack"})
    """Whose pages are made at the start."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions."""
        return region_names(self.regions)

    @property
    def listed(self) -> int:
        """VMs that a region's list holds."""
        return self.vms * self.repeat

    def page(self, asked: str | None, most: int, usual: int | None = None) -> int:
        """Return how many items go on a page for a client that asked for `asked`."""
        size = int(asked) if asked else (usual or most)
        return max(1, min(size, most, self.page_size or most))


@lru_cache(maxsize=8)
def region_names(count: int) -> tuple[str, ...]:
    """Return the names of that many regions."""
    made_up = (f"us-bench-{number}" for number in range(count - len(REGIONS)))
    return (*REGIONS[:count], *made_up)


def zones(region: str) -> tuple[str, str, str]:
    """Return the zones of a region: the letter is appended as Compute Engine does it."""
    return f"{region}-a", f"{region}-b", f"{region}-c"


def hexed(region: int, index: int, salt: int, digits: int) -> str:
    """Return hexadecimal digits that look random and are unique in (region, index, salt)."""
    bits = digits * 4
    number = ((region << 36) | (index << 8) | salt) * 0x9E3779B97F4A7C15F39CC0605CEDC835
    return f"{number % (1 << bits):0{digits}x}"


def uuid(region: int, index: int, salt: int) -> str:
    """Return the same in the form of a UUID."""
    text = hexed(region, index, salt, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


class Machine(dict[str, object]):
    """The values of one VM, for ``template % machine``.

    Derived ones are made when a template asks for them.
    """

    def __init__(self, region: int, name: str, index: int) -> None:
        self.number, self.index = region, index
        letter = "abc"[index % 3]
        super().__init__(
            i=index,
            region=name,
            az=f"{name}{letter}",
            zone=f"{name}-{letter}",
            letter=letter,
            ip=f"10.{region % 256}.{index // 250 % 256}.{index % 250 + 4}",
            dashed=f"10-{region % 256}-{index // 250 % 256}-{index % 250 + 4}",
            public=f"54.{region % 256}.{index // 250 % 256}.{index % 250 + 4}",
            publicdashed=f"54-{region % 256}-{index // 250 % 256}-{index % 250 + 4}",
            mac=f"{region % 256:02x}:{index >> 16 & 255:02x}:{index >> 8 & 255:02x}"
            f":{index & 255:02x}",
            name=f"{_ROLES[index % 7]}-{index:05d}",
            role=_ROLES[index % 7],
            team=f"team-{index % 23}",
            day=f"2026-{index % 9 + 1:02d}-{index % 28 + 1:02d}",
            clock=f"{index % 24:02d}:{index % 60:02d}:{index * 7 % 60:02d}",
            number=1000000000000000000 + region * 10**12 + index * 7919,
            fewtypes=index % 5,
        )

    def __missing__(self, key: str) -> object:
        kind, digits = key[0], key[1:]
        if kind == "h":  # h17a: 17 hexadecimal digits, letter = salt
            value: object = hexed(self.number, self.index, ord(digits[-1]), int(digits[:-1]))
        elif kind == "u":  # ua: a UUID, letter = salt
            value = uuid(self.number, self.index, ord(digits[-1]))
        else:
            raise KeyError(key)
        self[key] = value
        return value


_ROLES = ("web", "api", "db", "cache", "worker", "build", "proxy")


def has_public_ip(index: int) -> bool:
    """Whether a VM has a public address: every fourth."""
    return index % 4 == 0


def is_stopped(index: int) -> bool:
    """Whether it is stopped: every tenth."""
    return index % 10 == 9


def has_data_disk(index: int) -> bool:
    """Whether it has a second disk: every third."""
    return index % 3 == 0


def machines(shape: Shape, region: int) -> Iterator[Machine]:
    """Yield the different VMs of a region."""
    name = shape.names[region]
    return (Machine(region, name, index) for index in range(shape.vms))


def spans(start: int, count: int, period: int) -> Iterator[slice]:
    """Yield the slices of a list of `period` items, told over and over, from start on."""
    while count > 0:
        offset = start % period
        step = min(count, period - offset)
        yield slice(offset, offset + step)
        start, count = start + step, count - step
