"""From a volume node to the child process that segments it, and back to a segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from MicroUSLib.scene.grids import require_same_place
from MicroUSLib.scene.nodes import (
    grid_from_node,
    is_in_scene,
    require_volume,
    volume_from_node,
)
from MicroUSLib.scene.segments import put_capsule
from MicroUSLib.scene.undo import save_state_for_undo

if TYPE_CHECKING:
    from pathlib import Path

    import slicer

    from MicroUSLib.scene.segments import SaveState


_ON_BY_DEFAULT = ("largest_component", "fill_holes", "along_sweep")


@dataclass(frozen=True)
class Request:
    """What the user asked to have segmented.

    ``frames`` None means all, counted as in the volume's file; ``segmentation``
    None means a new node. ``channels`` are the volumes of a model of several channels
    by their names; ``volume`` is the first of them, and the mask lies on its grid.
    """

    volume: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode | None = None
    model: str = ""
    device: str = "auto"
    frames: tuple[int, ...] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    channels: dict[str, slicer.vtkMRMLScalarVolumeNode] = field(default_factory=dict)


def check(request: Request) -> None:
    """Raise a sentence unless the request can be met, before anything is started.

    Raises
    ------
    InputError
        See `require_volume` and `require_same_place`; or a frame does not exist.
    ConfigError
        If there is no such model.
    CheckpointError
        If the model's folder cannot be used.
    """
    from napari_microus.core.errors import InputError
    from napari_microus.core.library import DEFAULT_MODEL, find_model

    require_volume(request.volume)
    if request.segmentation is not None:
        require_same_place(request.segmentation, request.volume)
    model = find_model(request.model or DEFAULT_MODEL)
    model.check()
    if tuple(request.channels) != model.channels:
        raise InputError(
            f"The model '{model.name}' takes "
            + (", ".join(model.channels) if model.channels else "one scan")
            + f"; got {', '.join(request.channels) or 'one scan'}. Choose another "
            "model, or a volume for each channel.",
            plain=(
                f"The model '{model.name}' takes "
                f"{', '.join(model.channels) or 'one scan'}, and not "
                f"{', '.join(request.channels) or 'one scan'}. Choose another model, "
                "or a volume for each channel."
            ),
        )
    for name, volume in request.channels.items():
        require_volume(volume, name)
    count = request.volume.GetImageData().GetDimensions()[2]
    wrong = [f for f in request.frames or () if not 0 <= f < count]
    if wrong or request.frames == ():
        raise InputError(
            f"Frames must lie between 0 and {count - 1}; got "
            f"{wrong[0] if wrong else 'none'}. Choose frames of this scan.",
            plain=(f"This scan has the frames 0 to {count - 1}. Choose frames of it."),
        )


def arguments(request: Request, folder: Path) -> list[str]:
    """Write the scan into ``folder`` and return the child's command line."""
    from napari_microus.core.io import write_volume
    from napari_microus.core.library import DEFAULT_MODEL

    given = request.channels or {"scan": request.volume}
    files = []
    for name, volume in given.items():
        write_volume(volume_from_node(volume), folder / f"{name}.nii")
        files.append(str(folder / f"{name}.nii"))
    line = ["segment", *files, "--output", str(folder / "capsule.nii")]
    line += ["--model", request.model or DEFAULT_MODEL, "--device", request.device]
    if request.frames is not None:
        line += ["--frames", ",".join(str(frame) for frame in request.frames)]
    return [*line, *_switches(request.options), "--progress", "json"]


def _switches(options: dict[str, Any]) -> list[str]:
    """Return options such as ``fill_holes=False`` as ``--no-fill-holes``."""
    line = []
    for name, value in options.items():
        switch = name.replace("_", "-")
        if value is True or (value is False and name in _ON_BY_DEFAULT):
            line.append(f"--{switch}" if value else f"--no-{switch}")
        elif value is not False:
            line += [f"--{switch}", str(value)]
    return line


def collect(
    request: Request, folder: Path, save_state: SaveState = save_state_for_undo
) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
    """Put the mask that the child left in ``folder`` into the scene.

    Raises
    ------
    InputError
        If the volume or the segmentation left the scene, or changed its place,
        while the child was at work; the scene is unchanged then.
    """
    from napari_microus.core.errors import InputError
    from napari_microus.core.io import read_provenance, read_volume

    if not is_in_scene(request.volume):
        raise InputError(
            "The scan must stay in the scene until its segmentation is done; it was "
            "removed. Load it and press Apply again.",
            plain=(
                "The scan was removed from the scene while it was segmented. "
                "Load it and press Apply again."
            ),
        )
    path = folder / "capsule.nii"
    scan = grid_from_node(request.volume)
    array = read_volume(path).array
    if array.shape != scan.shape:
        raise InputError(
            "The scan must stay as it is until its segmentation is done; got "
            f"{scan.shape} instead of {array.shape} voxels. Press Apply again.",
            plain=(
                f"The scan has changed while it was segmented: {scan.shape} "
                f"instead of {array.shape} voxels. Press Apply again."
            ),
        )
    frames = None if request.frames is None else list(request.frames)
    return put_capsule(
        scan.like(array.astype("uint8", copy=False)),
        frames,
        request.volume,
        request.segmentation,
        read_provenance(path) or {"model": request.model},
        save_state,
        **({"name": request.model} if request.channels else {}),
    )
