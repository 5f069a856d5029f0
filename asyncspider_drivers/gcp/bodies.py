"""Bodies of what is written, made with the public request types of google-cloud-compute.

Importing this takes a second and 150 MB: it is loaded on the first write, in a worker thread
(`asyncspider.transport.offload.load_module`), and never for a scan.
"""

from __future__ import annotations

from typing import Any

from google.cloud import compute_v1


def encode(message: Any) -> bytes:
    """Return a message as the JSON that Compute Engine takes."""
    return (
        type(message)
        .to_json(
            message,
            always_print_fields_with_no_presence=False,
            use_integers_for_enums=False,
            indent=None,
        )
        .encode()
    )


def network(name: str, *, auto: bool) -> bytes:
    """``networks.insert``."""
    return encode(compute_v1.Network(name=name, auto_create_subnetworks=auto))


def subnetwork(name: str, network_url: str, block: str) -> bytes:
    """``subnetworks.insert``."""
    return encode(compute_v1.Subnetwork(name=name, network=network_url, ip_cidr_range=block))


def firewall(**fields: Any) -> bytes:
    """``firewalls.insert`` and ``firewalls.patch``."""
    return encode(compute_v1.Firewall(**fields))


def address(name: str) -> bytes:
    """``addresses.insert``."""
    return encode(compute_v1.Address(name=name, address_type="EXTERNAL"))


def access_config(ip: str) -> bytes:
    """``instances.addAccessConfig``."""
    return encode(compute_v1.AccessConfig(**_nat(ip)))


def _nat(ip: str) -> dict[str, str]:
    return {"name": "External NAT", "type_": "ONE_TO_ONE_NAT", "nat_i_p": ip}


def image(name: str, source_disk: str, description: str) -> bytes:
    """``images.insert``."""
    return encode(
        compute_v1.Image(name=name, source_disk=source_disk, description=description or None)
    )


def metadata(fingerprint: str, items: dict[str, str]) -> bytes:
    """``projects.setCommonInstanceMetadata``."""
    return encode(compute_v1.Metadata(fingerprint=fingerprint, items=_items(items)))


def _items(items: dict[str, str]) -> list[compute_v1.Items]:
    return [compute_v1.Items(key=key, value=value) for key, value in items.items()]


def instance(
    *,
    name: str,
    machine_type: str,
    image_path: str,
    network_path: str,
    subnetwork_path: str,
    public_ip: str,
    tags: list[str],
    labels: dict[str, str],
    items: dict[str, str],
) -> bytes:
    """``instances.insert``: one machine with a boot disk that goes with it."""
    nic = compute_v1.NetworkInterface(network=network_path, subnetwork=subnetwork_path)
    if public_ip:
        nic.access_configs = [compute_v1.AccessConfig(**_nat(public_ip))]
    return encode(
        compute_v1.Instance(
            name=name,
            machine_type=machine_type,
            disks=[
                compute_v1.AttachedDisk(
                    boot=True,
                    auto_delete=True,
                    initialize_params=compute_v1.AttachedDiskInitializeParams(
                        source_image=image_path
                    ),
                )
            ],
            network_interfaces=[nic],
            tags=compute_v1.Tags(items=tags) if tags else None,
            labels=labels,
            metadata=compute_v1.Metadata(items=_items(items)) if items else None,
        )
    )
