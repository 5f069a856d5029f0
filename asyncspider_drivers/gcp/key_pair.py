"""Key pairs: lines of the project's ``ssh-keys`` metadata."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from random import uniform
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    KeyPairHandler,
    KeyPairInfo,
    KeyPairReqInfo,
    NotFoundError,
    Page,
    Paged,
    Secret,
)
from asyncspider.transport.offload import load_module

from . import wire
from .mapping import SshKey, check_public_key, key_pair_info, ssh_keys
from .names import GLOBAL

if TYPE_CHECKING:
    from .connection import GcpConnection

USER = "asyncspider"
"""User that a key made here logs in as; the guest agent makes the account."""
_KEYS = "ssh-keys"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
_ATTEMPTS = 12


class GcpKeyPairHandler(KeyPairHandler["GcpConnection"]):
    """Keys of the project. They let their owners into every machine that does not refuse them."""

    async def create_key(self, key_pair_req_info: KeyPairReqInfo) -> KeyPairInfo:
        """Make an Ed25519 pair here, or take the public key given, and add it to the metadata.

        The private key is nowhere but in what is returned.
        """
        request, connection = key_pair_req_info, self.connection
        facts = connection.facts("projects.setCommonInstanceMetadata")
        if not _NAME.fullmatch(request.name):
            raise InvalidRequestError(
                f"{request.name!r} can't be the name of a key on GCP: letters, digits and ._@+-, "
                "at most 128",
                **facts,
            )
        private: Secret | None = None
        if request.public_key is None:
            public, private = await anyio.to_thread.run_sync(_make)
        else:
            try:
                public = check_public_key(request.public_key)
            except ValueError as error:
                raise InvalidRequestError(f"not an OpenSSH public key: {error}", **facts) from error
        line = f"{USER}:{public} {request.name}"

        def add(lines: list[str], keys: list[SshKey]) -> list[str]:
            if any(key.id == request.name for key in keys):
                raise ConflictError(
                    f"there is a key {request.name!r} already", code="alreadyExists", **facts
                )
            return [*lines, line]

        await self._change(add)
        (key,) = ssh_keys(line)
        info = key_pair_info(key)
        return KeyPairInfo(
            name=info.name,
            id=info.id,
            fingerprint=info.fingerprint,
            public_key=info.public_key,
            private_key=private,
        )

    def iter_key(self) -> Paged[KeyPairInfo]:
        """Iterate over the keys (``projects.get``, one answer)."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[KeyPairInfo], None]:
        yield Page([key_pair_info(key) for key in await _read(self.connection)], GLOBAL)

    async def get_key(self, key_pair_id: str) -> KeyPairInfo:
        """Return one key."""
        return key_pair_info(await find_key(self.connection, key_pair_id))

    async def delete_key(self, key_pair_id: str) -> bool:
        """Delete a key. Machines of the project that had it by this, lose it."""

        def drop(lines: list[str], keys: list[SshKey]) -> list[str]:
            for key in keys:
                if key.id == key_pair_id:
                    lines.remove(key.line)
                    return lines
            raise self._no_key(key_pair_id)

        await self._change(drop)
        return True

    def _no_key(self, key_pair_id: str) -> NotFoundError:
        return _no_key(self.connection, key_pair_id)

    async def _change(self, change: Callable[[list[str], list[SshKey]], list[str]]) -> None:
        """Change the metadata under its fingerprint; when somebody else was quicker, again.

        Raises:
            ConflictError: Somebody else always is.
        """
        connection = self.connection
        operation = "projects.setCommonInstanceMetadata"
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        async with connection.metadata_lock:  # one's own tasks need not race
            for attempt in range(_ATTEMPTS):
                project = await connection.read(wire.Project, "", "projects.get")
                metadata = project.common_instance_metadata
                items = {item.key: item.value for item in metadata.items}
                text = items.get(_KEYS, "")
                items[_KEYS] = "\n".join(change(text.splitlines(), ssh_keys(text)))
                if not items[_KEYS]:
                    del items[_KEYS]
                try:
                    await connection.change(
                        "POST",
                        "setCommonInstanceMetadata",
                        operation,
                        bodies.metadata(metadata.fingerprint, items),
                    )
                except ConflictError as error:
                    if error.code != "conditionNotMet" or attempt == _ATTEMPTS - 1:
                        raise
                    await anyio.sleep(uniform(0.05, 0.1) * min(2**attempt, 40))  # noqa: S311
                else:
                    return


async def find_key(connection: GcpConnection, key_pair_id: str) -> SshKey:
    """Return a key of the project.

    Raises:
        NotFoundError: There is none.
    """
    for key in await _read(connection):
        if key.id == key_pair_id:
            return key
    raise _no_key(connection, key_pair_id)


async def _read(connection: GcpConnection) -> list[SshKey]:
    project = await connection.read(wire.Project, "", "projects.get")
    for item in project.common_instance_metadata.items:
        if item.key == _KEYS:
            return ssh_keys(item.value)
    return []


def _no_key(connection: GcpConnection, key_pair_id: str) -> NotFoundError:
    return NotFoundError(
        f"there is no key {key_pair_id!r} in the project's metadata",
        **connection.facts("projects.get"),
    )


def _make() -> tuple[str, Secret]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return public, Secret(private)
