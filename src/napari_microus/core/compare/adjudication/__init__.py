"""Adjudicate annotators' differences region by region, and keep every decision."""

from napari_microus.core.compare.adjudication.session import Adjudication
from napari_microus.core.compare.adjudication.votes import Decision

__all__ = ["Adjudication", "Decision"]
