"""Volumes of several channels: one grid, comparable intensities, sliding windows."""
