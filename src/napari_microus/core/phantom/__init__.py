"""Synthetic micro-ultrasound scans with known truth.

`make_phantom` makes a scan as the real machine would record it, `training_batch`
many independent frames of a far wider variety.
"""

from napari_microus.core.phantom.annotators import AnnotatorStyle
from napari_microus.core.phantom.case import (
    PhantomCase,
    make_phantom,
    training_batch,
)
from napari_microus.core.phantom.domain import (
    PhantomDomain,
    random_domain,
    typical_domain,
)

__all__ = [
    "AnnotatorStyle",
    "PhantomCase",
    "PhantomDomain",
    "make_phantom",
    "random_domain",
    "training_batch",
    "typical_domain",
]
