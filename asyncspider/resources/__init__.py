"""The seven resources: their structs and the contract of each handler."""

from __future__ import annotations

from .base import Handler, Page, Paged, RegionInfo, Resource
from .image import ImageHandler, ImageInfo, ImageReqInfo
from .key_pair import KeyPairHandler, KeyPairInfo, KeyPairReqInfo
from .public_ip import PublicIPHandler, PublicIPInfo, PublicIPReqInfo
from .security import SecurityHandler, SecurityInfo, SecurityReqInfo, SecurityRule
from .vm import VMHandler, VMInfo, VMReqInfo, VMStatus, VMStatusInfo
from .vnetwork import SubnetInfo, VNetworkHandler, VNetworkInfo, VNetworkReqInfo
from .vnic import VNicHandler, VNicInfo, VNicReqInfo

AnyInfo = ImageInfo | VNetworkInfo | SecurityInfo | KeyPairInfo | VNicInfo | PublicIPInfo | VMInfo
"""What a list of any resource holds."""

__all__ = [
    "AnyInfo",
    "Handler",
    "ImageHandler",
    "ImageInfo",
    "ImageReqInfo",
    "KeyPairHandler",
    "KeyPairInfo",
    "KeyPairReqInfo",
    "Page",
    "Paged",
    "PublicIPHandler",
    "PublicIPInfo",
    "PublicIPReqInfo",
    "RegionInfo",
    "Resource",
    "SecurityHandler",
    "SecurityInfo",
    "SecurityReqInfo",
    "SecurityRule",
    "SubnetInfo",
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
]
