"""Amazon EC2, on aiobotocore."""

from __future__ import annotations

from .driver import AwsDriver

__all__ = ["AwsDriver"]
