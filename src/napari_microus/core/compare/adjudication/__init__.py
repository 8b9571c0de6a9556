"""Adjudicate two annotators' differences region by region, and keep every decision."""

from napari_microus.core.compare.adjudication.session import Adjudication, Decision

__all__ = ["Adjudication", "Decision"]
