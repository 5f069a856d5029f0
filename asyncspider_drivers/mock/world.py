"""The cloud behind the mock driver: what is in it, and how it treats a request."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any
from zlib import crc32

import anyio
import anyio.lowlevel
import msgspec
from msgspec import Meta

from asyncspider import (
    AuthenticationError,
    InvalidRequestError,
    NotEnabledError,
    PermissionDeniedError,
    Secret,
    SpiderError,
    ThrottledError,
    UnavailableError,
)

from .region import Region

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Where the time of every world begins, so that the same seed gives the same world."""

Count = Annotated[int, Meta(ge=0, le=300_000)]
Seconds = Annotated[float, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]

_REGION_NAMES = (
    "mock-north", "mock-east", "mock-south", "mock-west", "mock-central", "mock-island",
)  # fmt: skip


class WorldConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a world is made of. The same configuration is always the same world.

    As credential keys, all values are text: lists are comma-separated, and ``faults`` is a
    probability (``"0.05"``) or pairs (``"list_vm=0.5,start_*=1"``).

    Raises:
        InvalidRequestError: Two settings contradict each other.
    """

    seed: int = 0
    """Another seed gives other names, states and addresses."""
    regions: Annotated[int, Meta(ge=1, le=10_000)] | tuple[str, ...] = 3
    """Regions: how many, or their names. The first is the default."""
    zones: Annotated[int, Meta(ge=1, le=16)] = 2
    """Zones in each region, named as the region with ``-a``, ``-b`` and so on."""
    vms: Count = 10
    """VMs in each region to begin with, with all that they need."""
    latency: Seconds = 0.0
    """What each request takes, in seconds of real time."""
    page_size: Annotated[int, Meta(ge=1, le=10_000)] = 500
    """Most items in one answer."""
    transition: Seconds = 1.0
    """How long a VM is PENDING, SUSPENDING, REBOOTING, TERMINATING and still seen as
    TERMINATED, in seconds of the world's clock."""
    max_vms: Count | None = None
    """Quota of VMs in each region, None = no bound."""
    rate: Annotated[float, Meta(gt=0)] | None = None
    """Requests a second that a region takes before it throttles, None = no bound."""
    burst: Annotated[int, Meta(ge=1)] = 10
    """Requests that may come at once before `rate` bites."""
    faults: dict[str, Probability] = {}
    """Operation (or glob) -> probability that a request for it fails with a 503."""
    denied: tuple[str, ...] = ()
    """Regions (names or globs) that the account may not use: PermissionDeniedError."""
    not_enabled: tuple[str, ...] = ()
    """Regions that the account has not switched on: NotEnabledError; not in `list_regions`."""
    dead: tuple[str, ...] = ()
    """Regions that can't be reached: UnavailableError."""
    hung: tuple[str, ...] = ()
    """Regions that take a request and never answer: DeadlineExceededError in the end."""
    dead_zones: tuple[str, ...] = ()
    """Zones that can't be reached: lists of VMs and interfaces are partial."""
    require_token: Secret = Secret()
    """The ``token`` that every caller must have, empty = none."""
    accounts: tuple[str, ...] = ()
    """Accounts that the credentials reach, each a world of its own."""
    account: str = ""
    """Which of them, ``""`` = none of them."""

    def __post_init__(self) -> None:
        if not isinstance(self.regions, int) and not self.regions:
            raise InvalidRequestError("regions: a world needs at least one")
        if self.account and self.account not in self.accounts:
            raise InvalidRequestError(f"account: {self.account!r} is not among the accounts")

    def region_names(self) -> list[str]:
        """Return the names of all regions, the default one first."""
        if not isinstance(self.regions, int):
            return list(dict.fromkeys(self.regions))
        kinds = len(_REGION_NAMES)
        return [f"{_REGION_NAMES[i % kinds]}-{i // kinds + 1}" for i in range(self.regions)]


_LISTS = frozenset({"denied", "not_enabled", "dead", "hung", "dead_zones", "accounts"})


def _secret(kind: type, value: Any) -> Any:
    return value if isinstance(value, kind) else kind(value)


def config_from_text(values: Mapping[str, str]) -> WorldConfig:
    """Return the configuration that credential keys describe.

    Raises:
        InvalidRequestError: A value is none for its key; the message names the key, not the
            value.
    """
    plain: dict[str, Any] = {}
    for key, value in values.items():
        plain[key] = value
        if key in _LISTS or (key == "regions" and not value.strip().lstrip("-").isdecimal()):
            plain[key] = [part.strip() for part in value.split(",") if part.strip()]
        elif key == "faults":
            pairs = (part.rpartition("=") for part in value.split(",") if part.strip())
            plain[key] = {name.strip() or "*": chance.strip() for name, _, chance in pairs}
    try:
        return msgspec.convert(plain, WorldConfig, strict=False, dec_hook=_secret)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).rpartition(" - at `$.")
        if not reason:
            raise InvalidRequestError(f"credential keys of the mock: {error}") from error
        key = path.rstrip("`").partition("[")[0]
        raise InvalidRequestError(f"credential key {key!r}: {reason}") from error


class Clock:
    """A world's time, in seconds since it began.

    Args:
        running: Whether it goes by itself; a clock that does not moves only by `advance`.
    """

    def __init__(self, *, running: bool = True) -> None:
        self._running = running
        self._began = time.monotonic()
        self._extra = 0.0

    def now(self) -> float:
        """Return the seconds since the world began."""
        return self._extra + (time.monotonic() - self._began if self._running else 0.0)

    def advance(self, seconds: float) -> None:
        """Let time pass without waiting for it.

        Raises:
            ValueError: Time does not go back.
        """
        if seconds < 0:
            raise ValueError("time does not go back")
        self._extra += seconds


class Traffic:
    """Requests that reached a world or a region."""

    __slots__ = ("in_flight", "peak", "requests")

    def __init__(self) -> None:
        self.requests = 0
        """All so far."""
        self.in_flight = 0
        """Being answered now."""
        self.peak = 0
        """Most that were being answered at once."""

    def __enter__(self) -> None:
        self.requests += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    def __exit__(self, *exc_info: object) -> None:
        self.in_flight -= 1


class _Bucket:
    __slots__ = ("filled", "tokens")

    def __init__(self, burst: float) -> None:
        self.tokens = burst
        self.filled = 0.0


class _Planned:
    __slots__ = ("error", "left", "operation", "region")

    def __init__(self, operation: str, region: str, error: SpiderError, left: int) -> None:
        self.operation = operation
        self.region = region
        self.error = error
        self.left = left


class World:
    """One mock cloud. May be used by many connections of one event loop.

    Args:
        config: What it is made of; None = the defaults.
        clock: Its time; None = a clock that runs by itself.
        settings: Fields of `WorldConfig`, instead of `config`.

    Raises:
        InvalidRequestError: A setting is unknown or out of its range.

    Example:
        >>> world = World(regions=("here",), vms=100, clock=Clock(running=False))
        >>> driver = MockDriver(world=world)
    """

    def __init__(
        self, config: WorldConfig | None = None, *, clock: Clock | None = None, **settings: Any
    ) -> None:
        if config is None:
            try:
                config = msgspec.convert(settings, WorldConfig, dec_hook=_secret)
            except msgspec.ValidationError as error:
                raise InvalidRequestError(f"settings of a world: {error}") from error
        elif settings:
            raise InvalidRequestError("give a world a config or settings, not both")
        self.config = config
        self.clock = clock or Clock()
        self.traffic = Traffic()
        """Requests to the whole world."""
        self._random = random.Random(config.seed)  # noqa: S311 - faults, not secrets
        self._numbers = {name: number for number, name in enumerate(config.region_names())}
        self._regions: dict[str, Region] = {}
        self._traffic: dict[str, Traffic] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._planned: list[_Planned] = []

    @property
    def regions(self) -> list[str]:
        """Names of all regions, the default one first."""
        return list(self._numbers)

    def region(self, name: str) -> Region:
        """Return a region's content.

        Raises:
            InvalidRequestError: There is no such region.
        """
        region = self._regions.get(name)
        if region is None:
            number = self._numbers.get(name)
            if number is None:
                some = ", ".join(self.regions[:8])
                raise InvalidRequestError(f"no region {name!r}; there is: {some}")
            config = self.config
            region = self._regions[name] = Region(
                name=name,
                number=number,
                prefix=crc32(f"{config.seed}/{config.account}/{name}".encode()),
                config=config,
                epoch=EPOCH,
            )
        return region

    def traffic_of(self, region: str) -> Traffic:
        """Return the requests to one region; ``""`` = those to no region."""
        return self._traffic.setdefault(region, Traffic())

    def advance(self, seconds: float) -> None:
        """Let time pass: machines start and stop, buckets of requests fill."""
        self.clock.advance(seconds)

    def now(self) -> datetime:
        """Return the world's time."""
        return EPOCH + timedelta(seconds=self.clock.now())

    def fail(
        self, operation: str, error: SpiderError, *, times: int = 1, region: str = "*"
    ) -> None:
        """Let the next requests for an operation fail.

        Args:
            operation: Name of the operation or a glob, as ``"list_vm"``: the handler's method.
            error: What they raise.
            times: How many of them.
            region: Name of the region or a glob.
        """
        self._planned.append(_Planned(operation, region, error, times))

    # -- requests

    async def answer(
        self,
        operation: str,
        place: str,
        token: str,
        function: Callable[[Region], Any] | None = None,
    ) -> Any:
        """Treat a request as a cloud would: look who asks, wait, refuse, or answer.

        Args:
            operation: What is asked for, for `fail` and ``faults``.
            place: Name of the region, ``""`` when it concerns none.
            token: What the caller proves itself with.
            function: The answer, made when nothing speaks against it.

        Raises:
            SpiderError: It is refused; or what `function` raised.
        """
        with self.traffic, self.traffic_of(place):
            await self._admit(operation, place, token)
            if function is None:
                return None
            region = self.region(place)
            region.settle(self.clock.now())
            return function(region)

    async def _admit(self, operation: str, place: str, token: str) -> None:
        config = self.config
        if _listed(place, config.dead):
            await anyio.lowlevel.checkpoint()
            raise UnavailableError(f"{place}: connection refused", code="Connect")
        if _listed(place, config.hung):
            await anyio.sleep_forever()
        await anyio.sleep(config.latency)
        if config.require_token and Secret(token) != config.require_token:
            what = "is wrong" if token else "is missing"
            raise AuthenticationError(f"the token {what}", code="AuthFailure", status=401)
        if _listed(place, config.not_enabled):
            raise NotEnabledError(
                f"{place} is not enabled for this account", code="RegionNotEnabled", status=403
            )
        if _listed(place, config.denied):
            raise PermissionDeniedError(
                f"this account may not use {place}", code="AccessDenied", status=403
            )
        self._throttle(place)
        for plan in self._planned:
            if fnmatchcase(operation, plan.operation) and fnmatchcase(place, plan.region):
                plan.left -= 1
                if not plan.left:
                    self._planned.remove(plan)
                raise _again(plan.error)
        for pattern, chance in config.faults.items():
            if fnmatchcase(operation, pattern) and self._random.random() < chance:
                raise UnavailableError("internal error", code="InternalError", status=503)

    def _throttle(self, place: str) -> None:
        rate, burst = self.config.rate, self.config.burst
        if rate is None:
            return
        bucket = self._buckets.get(place)
        if bucket is None:
            bucket = self._buckets[place] = _Bucket(burst)
        now = self.clock.now()
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled) * rate)
        bucket.filled = now
        if bucket.tokens < 1 - 1e-9:  # who waited as long as told is not refused for rounding
            raise ThrottledError(
                "too many requests",
                code="RequestLimitExceeded",
                status=503,
                retry_after=(1 - bucket.tokens) / rate,
            )
        bucket.tokens -= 1


def _listed(name: str, patterns: tuple[str, ...]) -> bool:
    return bool(patterns) and any(fnmatchcase(name, pattern) for pattern in patterns)


def _again(error: SpiderError) -> SpiderError:
    """Return a new error like this one: a raised exception keeps its traceback."""
    kind, state = type(error), error.__dict__
    fresh = kind.__new__(kind, *error.args)
    fresh.args = error.args
    fresh.__dict__.update(state)
    return fresh


_named: dict[str, World] = {}
_made: dict[frozenset[tuple[str, str]], World] = {}


@contextmanager
def named_world(name: str, world: World) -> Iterator[dict[str, str]]:
    """Let the credential ``{"world": name}`` reach a world, for as long as the block runs.

    So an application under test that connects by itself, or a `Fleet`, meets your world. Gives
    that credential.

    Raises:
        InvalidRequestError: Another world has that name.
    """
    if name in _named:
        raise InvalidRequestError(f"there is a world {name!r} already")
    _named[name] = world
    try:
        yield {"world": name}
    finally:
        del _named[name]


def world_of(values: Mapping[str, str]) -> World:
    """Return the world that credential keys name or describe, the same for the same ones.

    Raises:
        InvalidRequestError: There is no world of that name, or a value is none for its key.
    """
    name = values.get("world")
    if name is not None:
        more = sorted(values.keys() - {"world"})
        if more:
            raise InvalidRequestError(f"credential key {more[0]!r}: a named world is made already")
        if name not in _named:
            raise InvalidRequestError(f"credential key 'world': no world {name!r}; see named_world")
        return _named[name]
    key = frozenset(values.items())
    world = _made.get(key)
    if world is None:
        world = _made[key] = World(config_from_text(values))
    return world
