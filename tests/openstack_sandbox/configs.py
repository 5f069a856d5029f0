"""Configuration of the services. Everything that is not said here is the services' default."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .layout import HOST, LINKS_OF_TWO, PAGE_OF_TWO, REGIONS, Layout

Sections = Mapping[str, Mapping[str, Any]]

COMPUTE_HOST = "compute-1"
CONTROL_HOST = "sandbox-control"
NEUTRON_FILES = ("neutron.conf", "ml2.ini")


def write(path: Path, sections: Sections) -> None:
    """Write an INI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_text(value)}" for key, value in values.items()]
    path.write_text("\n".join([*lines, ""]))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def database(layout: Layout, name: str) -> dict[str, str]:
    """Return how a service reaches its database."""
    where = f"openstack:{layout.password}@localhost/{name}?unix_socket={layout.mysql_socket}"
    return {"connection": f"mysql+pymysql://{where}"}


def _account(layout: Layout, user: str) -> dict[str, str]:
    return {
        "auth_type": "password",
        "auth_url": layout.auth_url,
        "username": user,
        "password": layout.password,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGIONS[0],
    }


def _common(layout: Layout, **more: Any) -> dict[str, Any]:
    rabbit = f"openstack:{layout.password}@{HOST}:{layout.ports['rabbitmq']}"
    return {
        "transport_url": f"rabbit://{rabbit}/",
        "use_stderr": True,
        "default_log_levels": "amqp=WARN,sqlalchemy=WARN,oslo.messaging=INFO,"
        "keystonemiddleware=WARN,oslo_policy=WARN,stevedore=WARN,urllib3.connectionpool=WARN",
        **more,
    }


def _shared(layout: Layout, user: str) -> dict[str, dict[str, Any]]:
    """Return the sections that each service but Keystone has: tokens, messages, locks."""
    return {
        "keystone_authtoken": {
            "www_authenticate_uri": layout.auth_url,
            "service_token_roles": "service",
            "service_token_roles_required": True,
            **_account(layout, user),
        },
        "oslo_messaging_rabbit": {
            "rabbit_quorum_queue": False,
            "rabbit_transient_quorum_queue": False,
            "rabbit_stream_fanout": False,
            "heartbeat_timeout_threshold": 0,
        },
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_concurrency": {"lock_path": layout.data / "locks"},
    }


def keystone(layout: Layout) -> Sections:
    """Return Keystone's configuration."""
    keys = layout.etc / "keystone"
    return {
        "DEFAULT": _common(layout),
        "database": database(layout, "keystone"),
        "token": {"provider": "fernet", "expiration": 86400},
        "fernet_tokens": {"key_repository": keys / "fernet-keys"},
        "fernet_receipts": {"key_repository": keys / "fernet-keys"},
        "credential": {"key_repository": keys / "credential-keys"},
        "cache": {"enabled": True, "backend": "dogpile.cache.memory"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def glance(layout: Layout) -> Sections:
    """Return Glance's configuration: images in plain files."""
    stores = {
        name: {"filesystem_store_datadir": layout.data / folder}
        for name, folder in (
            ("files", "glance"),
            ("os_glance_staging_store", "glance-staging"),
            ("os_glance_tasks_store", "glance-tasks"),
        )
    }
    return {
        "DEFAULT": _common(
            layout, enabled_backends="files:file", worker_self_reference_url=layout.url("glance")
        ),
        "database": database(layout, "glance"),
        "glance_store": {"default_backend": "files"},
        **stores,
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": layout.venv / "etc" / "glance" / "glance-api-paste.ini",
        },
        **_shared(layout, "glance"),
    }


def placement(layout: Layout) -> Sections:
    """Return Placement's configuration."""
    return {
        "DEFAULT": {"use_stderr": True},
        "placement_database": database(layout, "placement"),
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": _shared(layout, "placement")["keystone_authtoken"],
    }


def neutron(layout: Layout) -> Sections:
    """Return Neutron's configuration: no agents, no quotas."""
    unlimited = (
        "network", "subnet", "port", "router", "floatingip", "security_group",
        "security_group_rule",
    )  # fmt: skip
    return {
        "DEFAULT": _common(
            layout,
            core_plugin="ml2",
            service_plugins="router,port_forwarding",
            auth_strategy="keystone",
            api_paste_config=layout.venv / "etc" / "neutron" / "api-paste.ini",
            state_path=layout.data / "neutron",
            # Without a DHCP agent, nobody would tell that a port is ready.
            enable_traditional_dhcp=False,
            notify_nova_on_port_status_changes=True,
            notify_nova_on_port_data_changes=True,
        ),
        "database": database(layout, "neutron"),
        "nova": _account(layout, "neutron"),
        "placement": _account(layout, "neutron"),
        "quotas": {"default_quota": -1, **{f"quota_{name}": -1 for name in unlimited}},
        **_shared(layout, "neutron"),
    }


def ml2() -> Sections:
    """Return the configuration of Neutron's plugin."""
    return {
        "ml2": {
            "type_drivers": "flat,vxlan,local",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "sandbox",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "public"},
        "ml2_type_vxlan": {"vni_ranges": "1:100000"},
        "securitygroup": {"enable_security_group": True},
    }


def nova(
    layout: Layout, host: str, *, databases: bool = True, api: Mapping[str, Any] | None = None
) -> Sections:
    """Return Nova's configuration for one host.

    Args:
        layout: The sandbox.
        host: Name of the host.
        databases: False for nova-compute, which must not know of any.
        api: More settings of the API.
    """
    state = layout.data / "nova" / host
    (state / "instances").mkdir(parents=True, exist_ok=True)
    sections: dict[str, Mapping[str, Any]] = {
        "DEFAULT": _common(
            layout,
            host=host,
            my_ip=HOST,
            state_path=state,
            instances_path=state / "instances",
            compute_driver="asyncspider_sandbox.Driver",
            periodic_fuzzy_delay=0,
            report_interval=3,
            service_down_time=30,
            allow_resize_to_same_host=True,
            resume_guests_state_on_host_boot=True,
        ),
        "api": {"auth_strategy": "keystone", **(api or {})},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 2},
        "quota": {
            f"{name}": -1
            for name in (
                "instances",
                "cores",
                "ram",
                "key_pairs",
                "server_groups",
                "metadata_items",
            )
        },
        "filter_scheduler": {"track_instance_changes": False},
        "compute": {"resource_provider_association_refresh": 0},
        "glance": {"region_name": REGIONS[0], "endpoint_override": layout.url("glance")},
        "neutron": {**_account(layout, "nova"), "endpoint_override": layout.url("neutron")},
        "placement": {**_account(layout, "nova"), "endpoint_override": layout.url("placement")},
        "service_user": {"send_service_user_token": True, **_account(layout, "nova")},
        "vnc": {"enabled": False},
        **_shared(layout, "nova"),
    }
    if databases:
        sections["api_database"] = database(layout, "nova_api")
        sections["database"] = database(layout, "nova")
    return sections


def write_all(layout: Layout) -> None:
    """Write the configuration of all services, and our modules that run inside them."""
    etc = layout.etc
    for folder in ("glance", "glance-staging", "glance-tasks", "neutron", "locks"):
        (layout.data / folder).mkdir(parents=True, exist_ok=True)
    write(etc / "keystone" / "keystone.conf", keystone(layout))
    write(etc / "glance" / "glance-api.conf", glance(layout))
    write(etc / "placement" / "placement.conf", placement(layout))
    write(etc / "neutron" / NEUTRON_FILES[0], neutron(layout))
    write(etc / "neutron" / NEUTRON_FILES[1], ml2())
    write(etc / "nova" / "nova.conf", nova(layout, CONTROL_HOST))
    # The same Nova with short pages, that thinks it has another name.
    two = {"max_limit": PAGE_OF_TWO, "compute_link_prefix": LINKS_OF_TWO}
    write(etc / "nova-two" / "nova.conf", nova(layout, CONTROL_HOST, api=two))
    write(etc / "nova" / "compute.conf", nova(layout, COMPUTE_HOST, databases=False))
    for folder in ("nova", "nova-two"):
        shutil.copy(layout.venv / "etc" / "nova" / "api-paste.ini", etc / folder)
    inside = Path(__file__).with_name("inside")
    layout.lib.mkdir(exist_ok=True)
    for name in ("wsgi.py", "sandbox_ml2.py"):
        shutil.copy(inside / name, layout.lib)
    [virt] = layout.venv.glob("lib/python*/site-packages/nova/virt")  # no other place is looked at
    shutil.copy(inside / "asyncspider_sandbox.py", virt)
    about = layout.lib / "openstack_sandbox-1.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: openstack-sandbox\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[neutron.ml2.mechanism_drivers]\nsandbox = sandbox_ml2:SandboxDriver\n"
    )


def write_clouds_yaml(layout: Layout) -> None:
    """Write what clients read: accounts of an administrator, a project, and a poor project."""
    lines = ["clouds:"]
    for cloud, user, where in (
        ("sandbox-admin", "admin", f"region_name: {REGIONS[0]}"),
        ("sandbox-admin-two", "admin", f"region_name: {REGIONS[1]}"),
        ("sandbox", "demo", f"regions: [{', '.join(REGIONS)}]"),
        ("sandbox-limited", "limited", f"region_name: {REGIONS[0]}"),
    ):
        lines += [
            f"  {cloud}:",
            "    auth:",
            f"      auth_url: {layout.auth_url}",
            f"      username: {user}",
            f"      password: {layout.password}",
            f"      project_name: {user}",
            "      user_domain_id: default",
            "      project_domain_id: default",
            f"    {where}",
            '    identity_api_version: "3"',
        ]
    layout.clouds_yaml.write_text("\n".join([*lines, ""]))
    layout.clouds_yaml.chmod(0o600)
