"""Imported by each Python child of the tests as it starts."""

import os

import network_guard

if network_guard.LOG in os.environ:
    network_guard.NetworkGuard(os.environ[network_guard.LOG]).on()
