# pyright: reportMissingImports=false
"""A hypervisor that has no machines, for Nova: ``compute_driver = asyncspider_sandbox.Driver``.

Nova's own fake driver, but snapshots become images, servers survive a restart, and a server's
metadata can ask for trouble: ``sandbox_fail=spawn`` fails to start, ``sandbox_slow=2`` takes two
seconds for whatever is done to it.
"""

import io
import time
from typing import Any

from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state, task_states, vm_states
from nova.image import glance
from nova.scheduler.client import report
from nova.virt import fake, node

_POWER = {
    vm_states.STOPPED: power_state.SHUTDOWN,
    vm_states.PAUSED: power_state.PAUSED,
    vm_states.SUSPENDED: power_state.SUSPENDED,
}
_WITHOUT_GUEST = {
    vm_states.BUILDING,
    vm_states.DELETED,
    vm_states.ERROR,
    vm_states.SHELVED_OFFLOADED,
    vm_states.SOFT_DELETED,
}


def _no_allocations(self: Any, context: Any, nodename: str) -> dict[str, Any]:
    return {}


# Each build would ask Placement for every server on the host, one by one.
report.SchedulerReportClient.get_allocations_for_provider_tree = _no_allocations


def _dawdle(instance: Any) -> None:
    time.sleep(float(instance.metadata.get("sandbox_slow", 0)))


class Driver(fake.FakeDriver):
    """A very large host."""

    capabilities = {**fake.FakeDriver.capabilities, "supports_migrate_to_same_host": True}
    vcpus = 10_000
    memory_mb = 8_000_000

    def init_host(self, host: str) -> None:
        super().init_host(host)
        known = objects.InstanceList.get_by_host(nova_context.get_admin_context(), host)
        for instance in known:
            if instance.vm_state not in _WITHOUT_GUEST:
                power = _POWER.get(instance.vm_state, power_state.RUNNING)
                self.instances[instance.uuid] = fake.FakeInstance(
                    instance.name, power, instance.uuid
                )

    # The stock driver is another node after each start, which Nova refuses.

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {node.get_local_node_uuid(): name for name in self._nodes}

    def get_available_resource(self, nodename: str) -> Any:
        resources = super().get_available_resource(nodename)
        if resources:
            resources["uuid"] = node.get_local_node_uuid()
        return resources

    def spawn(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        _dawdle(instance)
        if instance.metadata.get("sandbox_fail") == "spawn":
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason="its metadata asked for it"
            )
        super().spawn(context, instance, *args, **kwargs)

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        service, image_id = glance.get_remote_image_service(context, image_id)
        update_task_state(
            task_state=task_states.IMAGE_UPLOADING,
            expected_state=task_states.IMAGE_PENDING_UPLOAD,
        )
        about = {
            "disk_format": "raw",
            "container_format": "bare",
            "properties": {"image_location": "snapshot", "owner_id": instance.project_id},
        }
        service.update(context, image_id, about, io.BytesIO(bytes(4096)), purge_props=False)

    def _become(self, instance: Any, power: int) -> None:
        _dawdle(instance)
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = power

    def power_off(self, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._become(instance, power_state.SHUTDOWN)

    def power_on(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._become(instance, power_state.RUNNING)

    def reboot(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        _dawdle(instance)

    def pause(self, instance: Any) -> None:
        self._become(instance, power_state.PAUSED)

    def unpause(self, instance: Any) -> None:
        self._become(instance, power_state.RUNNING)

    def suspend(self, context: Any, instance: Any) -> None:
        self._become(instance, power_state.SUSPENDED)

    def resume(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._become(instance, power_state.RUNNING)

    def get_host_uptime(self) -> str:
        return "up"
