"""asyncspider: one asynchronous interface to many clouds.

    async with asyncspider.connect("aws", region="us-east-1") as conn:
        async for vm in conn.create_vm_handler().iter_vm():
            print(vm.id, vm.status)

Importing this package loads no cloud's SDK; the fan-out and the HTTP session are loaded when
they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    AuthenticationError,
    ConflictError,
    DeadlineExceededError,
    ErrorInfo,
    InvalidRequestError,
    NotEnabledError,
    NotFoundError,
    NotSupportedError,
    PartialListError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    SpiderError,
    ThrottledError,
    UnavailableError,
    Unreachable,
)
from .resources import (
    AnyInfo,
    Handler,
    ImageHandler,
    ImageInfo,
    ImageReqInfo,
    KeyPairHandler,
    KeyPairInfo,
    KeyPairReqInfo,
    Page,
    Paged,
    PublicIPHandler,
    PublicIPInfo,
    PublicIPReqInfo,
    RegionInfo,
    Resource,
    SecurityHandler,
    SecurityInfo,
    SecurityReqInfo,
    SecurityRule,
    SubnetInfo,
    VMHandler,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VMStatusInfo,
    VNetworkHandler,
    VNetworkInfo,
    VNetworkReqInfo,
    VNicHandler,
    VNicInfo,
    VNicReqInfo,
)
from .secrets import Secret

if TYPE_CHECKING:
    from .connection import CloudConnection
    from .driver import CloudDriver, Connecting
    from .fleet import (
        Fleet,
        Limits,
        Outcome,
        Record,
        Ref,
        RunResult,
        ScanResult,
        ScopeReport,
        ScopeStatus,
        Target,
        expand,
    )
    from .info import ConnectionInfo, CredentialInfo, DriverCapabilityInfo
    from .registry import connect, list_drivers, load_driver
    from .wait import wait_for_vm

__version__ = "0.1.0"

_LAZY = {
    "CloudConnection": "connection",
    "CloudDriver": "driver",
    "Connecting": "driver",
    "ConnectionInfo": "info",
    "CredentialInfo": "info",
    "DriverCapabilityInfo": "info",
    "Fleet": "fleet",
    "Limits": "fleet",
    "Outcome": "fleet",
    "Record": "fleet",
    "Ref": "fleet",
    "RunResult": "fleet",
    "ScanResult": "fleet",
    "ScopeReport": "fleet",
    "ScopeStatus": "fleet",
    "Target": "fleet",
    "connect": "registry",
    "expand": "fleet",
    "list_drivers": "registry",
    "load_driver": "registry",
    "wait_for_vm": "wait",
}


def __getattr__(name: str) -> Any:
    try:
        module = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


__all__ = [
    "AnyInfo",
    "AuthenticationError",
    "CloudConnection",
    "CloudDriver",
    "ConflictError",
    "Connecting",
    "ConnectionInfo",
    "CredentialInfo",
    "DeadlineExceededError",
    "DriverCapabilityInfo",
    "ErrorInfo",
    "Fleet",
    "Handler",
    "ImageHandler",
    "ImageInfo",
    "ImageReqInfo",
    "InvalidRequestError",
    "KeyPairHandler",
    "KeyPairInfo",
    "KeyPairReqInfo",
    "Limits",
    "NotEnabledError",
    "NotFoundError",
    "NotSupportedError",
    "Outcome",
    "Page",
    "Paged",
    "PartialListError",
    "PermissionDeniedError",
    "ProtocolError",
    "PublicIPHandler",
    "PublicIPInfo",
    "PublicIPReqInfo",
    "QuotaExceededError",
    "Record",
    "Ref",
    "RegionInfo",
    "Resource",
    "RunResult",
    "ScanResult",
    "ScopeReport",
    "ScopeStatus",
    "Secret",
    "SecurityHandler",
    "SecurityInfo",
    "SecurityReqInfo",
    "SecurityRule",
    "SpiderError",
    "SubnetInfo",
    "Target",
    "ThrottledError",
    "UnavailableError",
    "Unreachable",
    "VMHandler",
    "VMInfo",
    "VMReqInfo",
    "VMStatus",
    "VMStatusInfo",
    "VNetworkHandler",
    "VNetworkInfo",
    "VNetworkReqInfo",
    "VNicHandler",
    "VNicInfo",
    "VNicReqInfo",
    "connect",
    "expand",
    "list_drivers",
    "load_driver",
    "wait_for_vm",
]
