"""Figures the papers report, to be set beside those measured here.

Only the summary figures of the abstracts are kept: they are means over the 20 test
patients of the public dataset, over frames where both masks show the gland.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Mean DSC and HD95 in mm, and where they stand."""

    dice: float
    hd95_mm: float
    source: str


PUBLISHED = {
    "paper": Published(0.940, 1.949, "arXiv 2509.15595, abstract"),
    "microsegnet": Published(0.939, 2.02, "arXiv 2305.19956, abstract"),
}
