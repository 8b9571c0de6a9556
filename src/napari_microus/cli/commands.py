"""Import every module that adds a command to the application."""

from __future__ import annotations
