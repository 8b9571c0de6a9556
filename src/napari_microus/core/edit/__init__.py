"""Correct a capsule: curves with handles, clicks, frames that follow, and review."""
