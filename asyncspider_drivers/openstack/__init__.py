"""OpenStack: Nova, Neutron and Glance, with openstacksdk's configuration and keystoneauth1."""

from __future__ import annotations

from .driver import OpenStackDriver

__all__ = ["OpenStackDriver"]
