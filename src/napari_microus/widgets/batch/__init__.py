"""Dock that segments many scans."""
