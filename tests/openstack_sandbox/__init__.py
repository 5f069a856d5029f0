"""A real OpenStack on this machine, for the tests: ``python -m tests.openstack_sandbox up``."""
