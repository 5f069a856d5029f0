"""Tests on a real OpenStack; ``nox -s openstack`` starts it, runs them and stops it."""
