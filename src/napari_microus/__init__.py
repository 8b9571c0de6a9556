"""Prostate capsule segmentation in micro-ultrasound.

Imports nothing, so that 3D Slicer can load `napari_microus.core` alone.
"""
