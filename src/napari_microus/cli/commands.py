"""Import every module that adds a command to the application."""

# ruff: noqa: F401

from __future__ import annotations

import napari_microus.cli.case
import napari_microus.cli.compare
import napari_microus.cli.dataset
import napari_microus.cli.demo
import napari_microus.cli.difficulty
import napari_microus.cli.evaluate
import napari_microus.cli.export
import napari_microus.cli.live
import napari_microus.cli.live_exchange
import napari_microus.cli.models
import napari_microus.cli.phantom
import napari_microus.cli.reproduce
import napari_microus.cli.scan
import napari_microus.cli.segment
import napari_microus.cli.study
import napari_microus.cli.teach
import napari_microus.cli.train
import napari_microus.cli.trainee
