"""Tests of the OpenStack driver on recorded replies of a real control plane."""
