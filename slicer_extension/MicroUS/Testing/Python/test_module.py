import sys
from pathlib import Path

import MicroUS
import slicer
from MicroUSLib.packages.install import Installer
from panel import Child, choose, press


def test_missing_packages_are_listed(widget, monkeypatch):
    monkeypatch.setattr(Installer, "missing", lambda self: ["monai>=1.5"])
    widget.packages.refresh()
    assert widget.ui.packagesLabel.text() == "Missing: monai>=1.5."


def test_downloads_are_deleted_and_trained_models_stay(widget, library, shown):
    import shutil

    weights = library.parent / "imagenet21k.npz"
    weights.write_bytes(b"0" * 1000)
    imported = library / "imported"
    shutil.copytree(library / "microus-small", imported)
    config = imported / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "source: published.pth\n")
    widget.packages.refresh()

    press(widget.ui.deleteWeightsButton)

    assert not weights.exists()
    assert not imported.exists()
    assert (library / "microus-small").is_dir()
    assert str(weights) in shown[0]


def test_module_registers_its_sample_data(monkeypatch):
    import hashlib
    import types

    every = []
    sample = types.ModuleType("SampleData")
    sample.SampleDataLogic = types.SimpleNamespace(
        registerCustomSampleDataSource=lambda **k: every.append(k)
    )
    monkeypatch.setitem(sys.modules, "SampleData", sample)
    MicroUS.MicroUS(types.SimpleNamespace(path="."))

    slicer.app.started()

    assert [one["sampleName"] for one in every] == [
        "MicroUSPhantom",
        "MicroUSRealFrames",
    ]
    for given in every:
        for uri, checksum in zip(given["uris"], given["checksums"], strict=True):
            path = Path(uri.removeprefix("file://"))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert checksum == f"SHA256:{digest}"
        assert len(given["fileNames"]) == len(given["nodeNames"]) == 3


def test_leaving_and_coming_back_keeps_the_choices(widget, make_volume):
    volume = make_volume()
    choose(widget, volume=volume, kernelSize=7)
    widget.exit()
    widget.enter()
    assert widget.ui.volumeSelector.currentNode() is volume
    assert widget.ui.kernelSizeSpinBox.value() == 7


def test_cleanup_stops_what_runs_and_observes_no_more(widget, make_volume):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    widget.cleanup()
    assert Child.made.is_abandoned
    assert widget.Observations == []


def test_panel_opens_before_anything_is_installed(
    widget, make_volume, mask, monkeypatch, shown
):
    for name in [n for n in sys.modules if n.partition(".")[0] == "napari_microus"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(
        Installer, "missing", lambda self: ["torch>=2.4.1", "monai>=1.5"]
    )
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_: False)

    fresh = MicroUS.MicroUSWidget()
    fresh.setup()
    volume = make_volume()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    choose(fresh, volume=volume, expert=node, nonexpert=node)
    for button in ("applyButton", "compareButton", "trainButton", "installButton"):
        press(getattr(fresh.ui, button))
    fresh.cleanup()

    assert len(shown) == 4
    assert all("declined" in text for text in shown)
