"""Google's own client, pointed at a test server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1

T = TypeVar("T")


class Official:
    """Makes clients of ``google.cloud.compute_v1`` and closes them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._clients: dict[Callable[..., Any], Any] = {}

    def client(self, kind: Callable[..., T]) -> T:
        if kind not in self._clients:
            client: Any = kind(  # pyright: ignore[reportCallIssue]
                credentials=AnonymousCredentials(), client_options={"api_endpoint": self.address}
            )
            # A client follows its operations at Google's own address, whatever it was given.
            services = getattr(client.transport, "_extended_operations_services", None)
            if services is not None and "Operations" not in kind.__name__:
                services["zone_operations"] = self.client(compute_v1.ZoneOperationsClient)
                services["region_operations"] = self.client(compute_v1.RegionOperationsClient)
                services["global_operations"] = self.client(compute_v1.GlobalOperationsClient)
            self._clients[kind] = client
        return self._clients[kind]

    @property
    def instances(self) -> compute_v1.InstancesClient:
        return self.client(compute_v1.InstancesClient)

    @property
    def images(self) -> compute_v1.ImagesClient:
        return self.client(compute_v1.ImagesClient)

    @property
    def networks(self) -> compute_v1.NetworksClient:
        return self.client(compute_v1.NetworksClient)

    @property
    def subnetworks(self) -> compute_v1.SubnetworksClient:
        return self.client(compute_v1.SubnetworksClient)

    @property
    def firewalls(self) -> compute_v1.FirewallsClient:
        return self.client(compute_v1.FirewallsClient)

    @property
    def addresses(self) -> compute_v1.AddressesClient:
        return self.client(compute_v1.AddressesClient)

    @property
    def global_addresses(self) -> compute_v1.GlobalAddressesClient:
        return self.client(compute_v1.GlobalAddressesClient)

    @property
    def disks(self) -> compute_v1.DisksClient:
        return self.client(compute_v1.DisksClient)

    @property
    def projects(self) -> compute_v1.ProjectsClient:
        return self.client(compute_v1.ProjectsClient)

    def close(self) -> None:
        for client in self._clients.values():
            client.transport.close()


async def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """The official client blocks, and the server lives on this loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


def boot_disk(image: str, **more: Any) -> compute_v1.AttachedDisk:
    return compute_v1.AttachedDisk(
        boot=True,
        auto_delete=True,
        initialize_params=compute_v1.AttachedDiskInitializeParams(source_image=image),
        **more,
    )


def machine(
    name: str,
    zone: str,
    *,
    image: str = "projects/debian-cloud/global/images/family/debian-12",
    **more: Any,
) -> compute_v1.Instance:
    return compute_v1.Instance(
        name=name,
        machine_type=f"zones/{zone}/machineTypes/e2-small",
        disks=[boot_disk(image)],
        **{
            "network_interfaces": [compute_v1.NetworkInterface(network="global/networks/default")],
            **more,
        },
    )
