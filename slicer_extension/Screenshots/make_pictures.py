"""Make the extension's pictures from the sample case: icon, slice views, panel.

Run with the environment of ``make test-slicer``::

    .venv-slicer/bin/python slicer_extension/Screenshots/make_pictures.py

The slice views are drawn by Slicer's own displayable managers. The panel is the
module's ``.ui`` file shown by PySide6 with the stand-ins of the tests: in Slicer it
has Slicer's style.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "MicroUS" / "Testing" / "Python"))

import conftest  # noqa: F401, E402  puts the stand-ins in place
import slicer  # noqa: E402
import standins  # noqa: E402
from MicroUSLib import sample_data  # noqa: E402
from MicroUSLib.process import Runner  # noqa: E402
from MicroUSLib.scene import annotations, nodes, segments, space  # noqa: E402
from MicroUSLib.segment import correct_panel, script  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402
from slice_view import SliceView  # noqa: E402
from space_view import SpaceView  # noqa: E402

from napari_microus.core.metrics import dice  # noqa: E402

DOCS = HERE.parents[1] / "docs" / "images"  # where this is not published alone
FRAME = 5


def load(name: str, kind: str, folder: Path = sample_data.SAMPLES):
    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(folder / f"{name}.nii.gz"))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def save(picture, name: str) -> None:
    Image.fromarray(picture).save(HERE / name, optimize=True)
    print(HERE / name)


def draw_icon() -> None:
    """A fan of sound with a capsule in it."""
    size = 512
    icon = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(icon)
    draw.rounded_rectangle((16, 16, 496, 496), 72, fill=(24, 32, 40, 255))
    for radius in range(150, 480, 55):
        box = (256 - radius, 40 - radius, 256 + radius, 40 + radius)
        draw.arc(box, 45, 135, fill=(120, 140, 155, 255), width=10)
    draw.ellipse((130, 170, 382, 380), outline=(240, 228, 66, 255), width=30)
    path = HERE.parent / "MicroUS" / "Resources" / "Icons" / "MicroUS.png"
    icon.resize((128, 128), Image.Resampling.LANCZOS).save(path, optimize=True)
    print(path)


def this_python(on_event, on_outcome) -> Runner:
    return Runner(on_event, on_outcome, sys.executable)


def save_states(widget) -> None:
    """Show the panel with one section open after the other."""
    sections = {
        name: getattr(widget.ui, f"{name}Section")
        for name in (
            *("segment", "correct", "live", "workList", "compare"),
            *("editor", "train", "packages"),
        )
    }
    inner = (widget.ui.propertiesSection, widget.ui.segmentOptions)
    for section in (*sections.values(), *inner):
        section.setTitle(section.property("text"))
    with tempfile.TemporaryDirectory() as folder:
        widget.ui.workListPathLineEdit.currentPath = str(make_list(Path(folder)))
        widget.ui.workListTable.selectRow(0)
        for name in ("segment", "correct", "live", "workList", "train", "packages"):
            for other, section in sections.items():
                section.setVisible(other == name)
            widget.parent.resize(520, 100)
            widget.parent.show()
            standins.Application().processEvents()
            widget.parent.resize(520, widget.parent.sizeHint().height())
            standins.Application().processEvents()
            widget.parent.grab().save(str(HERE / f"panel_{name}.png"))
            print(HERE / f"panel_{name}.png")
        widget.ui.workListPathLineEdit.currentPath = ""
    widget.ui.propertiesSection.hide()
    sections["segment"].show()
    sections["compare"].show()
    sections["workList"].hide()
    sections["correct"].hide()
    sections["live"].hide()


def save_properties(widget, capsule) -> None:
    """Give a copy of the sample scan a rotational sweep of 60°, as a person would."""
    ui = widget.ui
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "sweep.nii.gz"
        shutil.copy(sample_data.SAMPLES / "scan.nii.gz", copy)
        sweep = load("sweep", "vtkMRMLScalarVolumeNode", Path(folder))
        node = segments.new_segmentation(sweep, "sweep capsule")
        segments.add_segment(capsule.astype("uint8"), node, sweep)
        widget._parameterNode.volume = sweep
        widget._parameterNode.segmentation = node
        ui.sweepComboBox.setCurrentIndex(ui.sweepComboBox.findData("rotational"))
        for name, text in (
            ("pixelHeight", "0.125"),
            ("axisPlace", "-9.5"),
            ("angles", "60"),
            ("psa", "6.5"),
        ):
            getattr(ui, f"{name}LineEdit").setText(text)
        ui.keepPropertiesButton.click()
        ui.measureButton.click()
        for name in (
            *("correct", "live", "workList", "compare", "editor", "train"),
            "packages",
        ):
            getattr(ui, f"{name}Section").hide()
        ui.segmentOptions.hide()
        ui.propertiesSection.show()
        widget.parent.resize(520, 100)
        standins.Application().processEvents()
        widget.parent.resize(520, widget.parent.sizeHint().height())
        standins.Application().processEvents()
        widget.parent.grab().save(str(HERE / "panel_properties.png"))
        print(HERE / "panel_properties.png")


def save_live(widget) -> None:
    """Follow a volume that becomes one real frame after the other."""
    frames = slicer.util.arrayFromVolume(load("real_scan", "vtkMRMLScalarVolumeNode"))
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Image")
    slicer.util.updateVolumeFromArray(volume, frames[:1].copy())
    volume.SetSpacing(0.125, 0.125, 1)
    volume.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    volume.CreateDefaultDisplayNodes()
    view = SliceView(volume)
    live = widget.live
    live._make_runner, live._ensure_packages = this_python, lambda: None
    widget._parameterNode.liveVolume = volume
    widget._parameterNode.device = "cpu"
    widget.ui.liveStartButton.click()
    end, number = time.monotonic() + 240, 0
    while live.answered < 60 and time.monotonic() < end:
        if live.answered:
            number += 1
            slicer.util.arrayFromVolume(volume)[0] = frames[number // 6 % len(frames)]
            slicer.util.arrayFromVolumeModified(volume)
        standins.Application().processEvents()
        time.sleep(1 / 30)
    save(view.picture(), "live.png")
    print(widget.ui.liveStatusLabel.text())
    live.stop()
    while live.is_running:
        standins.Application().processEvents()


def make_list(folder: Path) -> Path:
    """A work list of the sample case under three numbers, one of them half drawn."""
    for number in (1, 2, 3):
        for name, place in (("scan", "scans"), ("expert", "expert")):
            (folder / place).mkdir(exist_ok=True)
            shutil.copy(
                sample_data.SAMPLES / f"{name}.nii.gz",
                folder / place / f"{name}{number}.nii.gz",
            )
        (folder / "nonexpert").mkdir(exist_ok=True)
        if number < 3:
            shutil.copy(
                sample_data.SAMPLES / "nonexpert.nii.gz",
                folder / "nonexpert" / f"nonexpert{number}.nii.gz",
            )
    return folder


def main() -> None:
    draw_icon()
    scan = load("scan", "vtkMRMLScalarVolumeNode")
    scan.CreateDefaultDisplayNodes()
    scan.GetDisplayNode().AutoWindowLevelOff()
    scan.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    masks = [load(n, "vtkMRMLLabelMapVolumeNode") for n in ("expert", "nonexpert")]
    view = SliceView(scan)
    nodes.jump_to_voxel(scan, FRAME, 119.5, 171)

    import MicroUS

    widget = MicroUS.MicroUSWidget()
    widget.setup()
    widget.enter()
    node, key = script.run_and_wait(scan, device="cpu", make_runner=this_python)
    capsule = segments.segment_array(node, key, scan).astype(bool)
    expert = annotations.mask_from_node(masks[0], "1", scan, "expert").array.astype(
        bool
    )
    print(f"The bundled model's Dice on the sample: {dice(capsule, expert):.3f}")
    save(view.picture(), "capsule.png")
    space.show_in_space(scan, node, key)
    in_space = SpaceView()
    save(in_space.picture(azimuth=30, elevation=60), "surface.png")
    in_space.close()
    node.GetDisplayNode().SetVisibility(False)

    choices = widget._parameterNode
    choices.volume, choices.expert, choices.nonexpert = scan, *masks
    widget.compare.ensure_packages = lambda: None
    widget.compare.compare()
    nodes.jump_to_voxel(scan, FRAME, 119.5, 171)
    save(view.picture(), "hard_region.png")

    choices.segmentation = node
    correct_panel.keep_approved(node, {0, 6})
    widget.correct.refresh()
    widget.ui.measureButton.click()
    save_live(widget)
    save_states(widget)
    widget.compare.adjudicating.accept_expert()
    widget.ui.segmentStatusLabel.setText("Not for clinical use.")
    for section in (widget.ui.segmentSection, widget.ui.compareSection):
        section.setTitle(section.property("text"))
    for section in (
        widget.ui.editorSection,
        widget.ui.trainSection,
        widget.ui.packagesSection,
    ):
        section.hide()
    widget.parent.resize(520, 1480)
    widget.parent.show()
    standins.Application().processEvents()
    widget.parent.grab().save(str(HERE / "panel.png"))
    print(HERE / "panel.png")
    save_properties(widget, capsule)
    if DOCS.is_dir():
        for name in (
            *("capsule", "hard_region", "panel"),
            *("panel_properties", "surface", "live"),
        ):
            shutil.copy(HERE / f"{name}.png", DOCS / f"slicer_{name}.png")


if __name__ == "__main__":
    main()
