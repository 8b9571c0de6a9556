"""What the user has chosen, kept in the scene and tied to the widgets.

Annotations stay real objects here: the wrapper reads them.
"""

from typing import Annotated, Union

import slicer
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

DEVICES = ["auto", "cuda", "mps", "cpu"]

# Where the frames show the probe.
PROBES = ["top", "bottom", "automatic"]

ALL_FRAMES = "All frames"
SHOWN_SLICE = "Shown slice"
RANGE = "Range of frames"
SEQUENCE = "Whole sequence"
SCOPES = [ALL_FRAMES, SHOWN_SLICE, RANGE, SEQUENCE]

NETWORK_PX = "px of the network"
SCAN_PX = "px of the scan"
KERNEL_GRIDS = [NETWORK_PX, SCAN_PX]

# What the user reads, and what the core calls it.
RANKS = {
    "distance between contours": "contour_distance",
    "area in a frame": "area",
    "extent through frames": "extent",
}

# With None: the wrapper writes it before anything was chosen, and raises otherwise.
Annotation = Union[  # noqa: UP007  the wrapper takes no other form
    slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLScalarVolumeNode, None
]


@parameterNodeWrapper
class MicroUSParameterNode:
    """The choices of the three panels; each names its widget in ``MicroUS.ui``."""

    volume: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode
    modelName: str = ""
    device: Annotated[str, Choice(DEVICES)] = "auto"
    scope: Annotated[str, Choice(SCOPES)] = ALL_FRAMES
    firstFrame: Annotated[int, WithinRange(0, 99999)] = 0
    lastFrame: Annotated[int, WithinRange(0, 99999)] = 0
    batchSize: Annotated[int, WithinRange(1, 64)] = 8
    largestComponent: bool = True
    fillHoles: bool = True
    flip: bool = False
    smoothOutline: bool = True
    leaveUnsureEmpty: bool = True
    useNeighbours: bool = True
    probe: Annotated[str, Choice(PROBES)] = "top"

    liveVolume: slicer.vtkMRMLScalarVolumeNode

    expert: Annotation
    nonexpert: Annotation
    expertPart: str = ""
    nonexpertPart: str = ""
    model: Annotation
    modelPart: str = ""
    kernelGrid: Annotated[str, Choice(KERNEL_GRIDS)] = NETWORK_PX
    kernelSize: Annotated[int, WithinRange(1, 99)] = 4
    rankBy: Annotated[str, Choice([*RANKS])] = "distance between contours"
    smallestRegion: Annotated[int, WithinRange(1, 9999)] = 1
    throughFrames: bool = False
    blind: bool = False

    trainDevice: Annotated[str, Choice(DEVICES)] = "auto"
    epochs: Annotated[int, WithinRange(0, 10000)] = 0
    microBatch: Annotated[int, WithinRange(0, 256)] = 0
