"""Carry scans and masks between MRML nodes and the core."""
