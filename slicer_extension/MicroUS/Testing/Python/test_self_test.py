"""The checks that `MicroUSTest` makes in the application, on slicer-core."""

import sys
import unittest

import MicroUS
import pytest
import slicer
from MicroUSLib import self_test
from MicroUSLib.packages.install import Installer
from MicroUSLib.process import Runner
from MicroUSLib.segment import script


@pytest.fixture
def loaders(load_volume, monkeypatch):
    """`slicer.util`'s loaders go through Qt; these use the same storage nodes."""
    from pathlib import Path

    def segmentation(path):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(path)
        assert storage.ReadData(node)
        return node

    monkeypatch.setattr(slicer.util, "loadVolume", lambda p: load_volume(Path(p)))
    monkeypatch.setattr(slicer.util, "loadSegmentation", segmentation)


@pytest.fixture
def child(library, monkeypatch):
    def this_python(on_event, on_outcome):
        return Runner(on_event, on_outcome, sys.executable)

    monkeypatch.setitem(script.run_and_wait.__kwdefaults__, "make_runner", this_python)


@pytest.mark.slow
def test_self_test_passes(loaders, child):
    test = MicroUS.MicroUSTest()
    test.runTest()


def test_self_test_is_skipped_with_a_reason_where_packages_are_missing(monkeypatch):
    monkeypatch.setattr(Installer, "missing", lambda self: ["torch>=2.4"])
    with pytest.raises(unittest.SkipTest, match="not installed yet: torch"):
        MicroUS.MicroUSTest().runTest()


@pytest.mark.parametrize("check", self_test.CHECKS)
def test_every_check_says_what_it_checks(check):
    assert check.__doc__
