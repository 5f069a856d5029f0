"""What to scan: read from ``asyncspider.toml``, or put together from options."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InvalidRequestError
from ..fleet import Limits
from ..info import ConnectionInfo, CredentialInfo
from ..registry import load_driver
from ..resources import Resource

DEFAULT_FILE = Path("asyncspider.toml")


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[target]]``: a cloud, and which of its regions and accounts."""

    driver: str
    """Name of the driver."""
    name: str = ""
    """First part of its targets' names; ``""`` = the driver's name."""
    regions: str | list[str] | None = None
    """Names, globs and ``!`` excludes; None = the driver's default."""
    accounts: str | list[str] = []
    """The same for accounts (projects)."""
    endpoint_url: str | None = None
    """Another server to talk to."""
    request_timeout: float = 60.0
    """Longest wait for one request, in seconds."""
    credential: dict[str, str] = {}
    """Credential keys; a value may refer to the environment or a file, see `resolve`."""

    @property
    def label(self) -> str:
        """First part of its targets' names."""
        return self.name or self.driver

    def connection_info(self) -> ConnectionInfo:
        """Return how to connect, with all references resolved.

        Raises:
            InvalidRequestError: Unknown driver or credential key; a reference leads nowhere.
            NotSupportedError: The driver's SDK is not installed.
        """
        driver = load_driver(self.driver)
        values = {key: resolve(key, value) for key, value in self.credential.items()}
        credential = CredentialInfo(key_values=values)
        driver.check_credential(credential)
        return ConnectionInfo(
            credential_info=credential,
            endpoint_url=self.endpoint_url,
            request_timeout=self.request_timeout,
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of a target file."""

    target: list[TargetSettings] = []
    """What to scan."""
    resources: list[Resource] = []
    """What to list; none = all seven."""
    deadline: float | None = None
    """Longest time for the whole scan, in seconds; None = none."""
    output: str | None = None
    """File for the records, relative to the working directory; None = none."""
    limits: Limits = Limits()
    """How much to do at once."""


def resolve(key: str, value: str) -> str:
    """Return a credential's value: ``env:NAME`` and ``file:PATH`` are looked up.

    ``literal:TEXT`` is TEXT, for a value that itself begins with one of these words. A file's
    content loses the line end at its end.

    Raises:
        InvalidRequestError: The variable is not set, or the file can't be read.
    """
    kind, colon, rest = value.partition(":")
    if colon and kind == "env":
        if rest not in os.environ:
            raise InvalidRequestError(f"{key}: the environment has no variable {rest!r}")
        return os.environ[rest]
    if colon and kind == "file":
        try:
            return Path(rest).expanduser().read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise InvalidRequestError(f"{key}: can't read {rest}: {reason}") from None
    return rest if colon and kind == "literal" else value


# -- the file

_Path = tuple[str | int, ...]


def read_settings(path: Path) -> Settings:
    """Read a target file.

    Raises:
        InvalidRequestError: It can't be read, or something in it is wrong; the message has the
            line.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise InvalidRequestError(f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{path} is not UTF-8 text") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line = _toml_message(str(error), text)
        raise InvalidRequestError(f"{path}, line {line}: {message}") from None
    source = _Source(path, text)
    try:
        settings = msgspec.convert(_plain_limits(data, source), Settings)
    except msgspec.ValidationError as error:
        raise source.explained(str(error)) from None
    if not settings.target:
        raise InvalidRequestError(f"{path} has no [[target]]")
    _check_targets(settings, source)
    return settings


class _Source:
    """The text of a file, which can tell on which line a key is."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = text.splitlines(keepends=True)

    def error(self, at: _Path, message: str) -> InvalidRequestError:
        line = self.line_of(at)
        where = f"{self.path}, line {line}" if line else str(self.path)
        return InvalidRequestError(f"{where}: {message}")

    def line_of(self, at: _Path) -> int:
        """Return the line on which the statement that makes `at` begins, 0 when none does.

        The file is read again, one line more each time, until `at` is there: TOML's own rules
        decide what a line means, also in strings of many lines.
        """
        complete = 0
        for number in range(1, len(self._lines) + 1):
            try:
                data: Any = tomllib.loads("".join(self._lines[:number]))
            except tomllib.TOMLDecodeError:
                continue
            if _has(data, at):
                return complete + 1
            complete = number
        return self.line_of(at[:-1]) if len(at) > 1 else 0

    def explained(self, message: str) -> InvalidRequestError:
        """Return msgspec's message in terms of the file."""
        found = re.fullmatch(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", message, re.DOTALL)
        assert found is not None
        what, raw = found["what"], found["path"] or ""
        at = self._path(raw)
        place = f" in {_title(at)}" if at else ""
        if unknown := re.search(r"unknown field `(.*)`", what):
            key = unknown[1]
            near = get_close_matches(key, _keys_at(at), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return self.error((*at, key), f"unknown key {key!r}{place}{hint}")
        if missing := re.search(r"missing required field `(.*)`", what):
            return self.error(at, f"{_title(at)} needs the key {missing[1]!r}")
        what = what[:1].lower() + what[1:].replace("`", "'")
        return self.error(at, f"{_title(at)}: {what}" if at else what)

    def _path(self, raw: str) -> _Path:
        """Return the path that msgspec writes as ``target[0].credential[...]``."""
        raw, one_of_them, _ = raw.partition("[...]")
        at = tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", raw))
        if one_of_them:  # it does not say which; the only such table holds text
            table: Any = tomllib.loads("".join(self._lines))
            for step in at:
                table = table[step]
            at += tuple(key for key, value in table.items() if not isinstance(value, str))[:1]
        return at


def _has(data: Any, at: _Path) -> bool:
    for step in at:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _title(at: _Path) -> str:
    """Return how the file calls a place: ``[[target]]``, ``[limits]``, ``limits.rate``."""
    names = [step for step in at if isinstance(step, str)]
    if at and isinstance(at[-1], int) and names == ["target"]:
        return "[[target]]"
    if names in (["limits"], ["target", "credential"]):
        return f"[{'.'.join(names)}]"
    return ".".join(names[1:] if names[0] == "target" and len(names) > 1 else names)


def _keys_at(at: _Path) -> Sequence[str]:
    kind = {"target": TargetSettings, "limits": Limits}.get(str(at[0]) if at else "", Settings)
    return kind.__struct_fields__


def _toml_message(message: str, text: str) -> tuple[str, int]:
    """Return the parser's message without its place, and the line."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message)
    if found is None:
        return message, 1
    return found[1], int(found[2] or text.count("\n") + 1)


def _plain_limits(data: dict[str, Any], source: _Source) -> dict[str, Any]:
    """Check what msgspec can't: it lets unknown keys of `Limits`, which is not ours, pass."""
    if isinstance(data.get("limits"), dict):
        limits: dict[str, Any] = data["limits"]
        for key in limits:
            if key not in Limits.__struct_fields__:
                raise source.explained(f"Object contains unknown field `{key}` - at `$.limits`")
        for key, value in limits.items():
            try:
                msgspec.convert({key: value}, Limits)
            except InvalidRequestError as error:
                raise source.error(("limits", key), error.message) from None
            except msgspec.ValidationError:
                pass  # the whole file's conversion says so, with its place
    return data


def _check_targets(settings: Settings, source: _Source) -> None:
    """Check what only drivers know, and that names differ."""
    labels: set[str] = set()
    for index, target in enumerate(settings.target):
        at: _Path = ("target", index)
        if target.label in labels:
            key = "name" if target.name else "driver"
            raise source.error(
                (*at, key), f"two targets are named {target.label!r}; give one another name"
            )
        labels.add(target.label)
        try:
            driver = load_driver(target.driver)
        except InvalidRequestError as error:
            raise source.error((*at, "driver"), error.message) from None
        for key, value in target.credential.items():
            try:
                resolved = resolve(key, value)
                if key not in driver.credential_keys:
                    driver.check_credential(CredentialInfo(key_values={key: resolved}))
            except InvalidRequestError as error:
                raise source.error((*at, "credential", key), error.message) from None
        try:
            target.connection_info()
        except InvalidRequestError as error:
            first = error.message.split()[0]
            key = first if first in TargetSettings.__struct_fields__ else "credential"
            raise source.error((*at, key), error.message) from None


# -- the options


def target_from_options(
    driver: str,
    *,
    regions: str | None,
    accounts: str | None,
    credential: Sequence[str],
    endpoint_url: str | None,
    request_timeout: float | None,
) -> TargetSettings:
    """Return the one target that options describe.

    Raises:
        InvalidRequestError: A credential is no ``KEY=VALUE``, or comes twice.
    """
    values: dict[str, str] = {}
    for item in credential:
        key, equals, value = item.partition("=")
        if not equals or not key:
            # The text itself is not shown: it may be a secret.
            raise InvalidRequestError("--credential takes KEY=VALUE, as profile=prod")
        if key in values:
            raise InvalidRequestError(f"--credential {key} is given twice")
        values[key] = value
    target = TargetSettings(
        driver=driver,
        regions=regions,
        accounts=accounts or [],
        endpoint_url=endpoint_url,
        credential=values,
    )
    if request_timeout is None:
        return target
    return msgspec.structs.replace(target, request_timeout=request_timeout)


def visible_secrets(target: TargetSettings) -> Sequence[str]:
    """Return the credential keys whose values were written out and look secret."""
    words = ("secret", "password", "token", "json")
    return [
        key
        for key, value in target.credential.items()
        if any(word in key for word in words) and not value.startswith(("env:", "file:"))
    ]


def with_limits(limits: Limits, changes: Mapping[str, Any]) -> Limits:
    """Return `limits` with the changes that are not None.

    Raises:
        InvalidRequestError: A value is out of range.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    return msgspec.structs.replace(limits, **given)
