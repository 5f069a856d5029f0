# pyright: reportMissingImports=false
"""What agents would do in Neutron: binds each port, and sets the state of floating addresses."""

from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api


class SandboxDriver(api.MechanismDriver):
    """An ML2 mechanism driver: each port is on a switch that is always there."""

    connectivity = portbindings.CONNECTIVITY_L2

    def initialize(self) -> None:
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE):
            registry.subscribe(self._floating_ip_changed, resources.FLOATING_IP, event)

    def bind_port(self, context: Any) -> None:
        segment = next(iter(context.segments_to_bind), None)
        if segment is not None:
            context.set_binding(
                segment[api.ID],
                portbindings.VIF_TYPE_OVS,
                {portbindings.CAP_PORT_FILTER: True},
                status=constants.PORT_STATUS_ACTIVE,
            )

    def check_vlan_transparency(self, context: Any) -> bool:
        return True

    def _floating_ip_changed(self, resource: Any, event: Any, trigger: Any, payload: Any) -> None:
        state = payload.latest_state or {}
        used = state.get("port_id") or state.get("fixed_port_id")
        directory.get_plugin(plugins.L3).update_floatingip_status(
            payload.context.elevated(),
            state.get("id") or payload.resource_id,
            constants.FLOATINGIP_STATUS_ACTIVE if used else constants.FLOATINGIP_STATUS_DOWN,
        )
