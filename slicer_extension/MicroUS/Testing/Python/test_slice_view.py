"""What a radiologist would see: Slicer's own rendering of scan and segments."""

import numpy as np
import pytest
from conftest import AFFINES
from MicroUSLib.compare import adjudication, comparison
from MicroUSLib.scene import nodes, segments
from slice_view import SliceView


@pytest.fixture
def dark():
    """A scan of one dim grey with a bright square in one corner of each frame."""
    array = np.full((5, 48, 64), 40, np.uint8)
    array[:, 2:8, 2:8] = 250
    array[0, 0, 0], array[0, 0, 1] = 0, 255
    return array


@pytest.fixture
def see(scene):
    """Make a slice view that is closed before its scene."""
    made = []

    def see(*choices):
        made.append(SliceView(*choices))
        return made[-1]

    yield see
    for view in made:
        view.close()


def is_color(picture, color):
    """Where the picture is near a colour (0 to 1)."""
    distance = np.abs(picture.astype(float) - np.array(color) * 255).max(axis=-1)
    return distance < 40


@pytest.mark.parametrize("kind", AFFINES)
@pytest.mark.parametrize("tilted", [False, True])
def test_capsule_lies_on_the_scan_and_has_its_colour(
    kind, tilted, dark, mask, nifti, load_volume, transform, see
):
    volume = load_volume(nifti(dark, AFFINES[kind]))
    volume.CreateDefaultDisplayNodes()
    if tilted:
        volume.SetAndObserveTransformNodeID(transform.GetID())
    view = see(volume, 640, 480)
    nodes.jump_to_voxel(volume, 2, 23.5, 31.5)
    before = view.picture()

    segments.put_capsule(
        nodes.volume_from_node(volume).like(mask), None, volume, None, {}
    )
    picture = view.picture()

    outline = is_color(picture, segments.CAPSULE_COLOR)
    assert outline.any()
    # The bright square of the scan shows how the scan lies in the view.
    bright = before.mean(axis=-1) > 200
    rows, columns = np.nonzero(outline)
    to_square = np.array([rows.mean(), columns.mean()]) - np.argwhere(bright).mean(
        axis=0
    )
    scale = 640 / view.node.GetFieldOfView()[0] * 0.1  # screen pixels of one voxel
    # The block's middle (19.5, 34.5) is 15 rows and 30 columns from the square's.
    assert sorted(np.abs(to_square) / scale) == pytest.approx([15, 30], abs=1)
    nodes.jump_to_voxel(volume, 0, 23.5, 31.5)  # the block ends before frame 0
    assert not is_color(view.picture(), segments.CAPSULE_COLOR).any()


def test_hard_region_is_shown_beside_the_differences(dark, mask, make_volume, see):
    volume = make_volume(dark)
    node = segments.new_segmentation(volume, "annotations")
    second = mask.copy()
    second[2, 10:30, 50:58] = 1
    keys = [segments.add_segment(m, node, volume) for m in (mask, second)]
    node.GetDisplayNode().SetVisibility(False)
    annotators = [comparison.Annotator(node, key, "expert") for key in keys]
    found = comparison.compare(
        volume,
        *annotators,
        kernel_size=4,
        rank_by="area",
        through_frames=False,
        on_event=lambda _: None,
    )
    view = see(volume, 640, 480)
    frame, row, column = found.regions[0].centre
    nodes.jump_to_voxel(volume, frame, row, column)
    assert not is_color(view.picture(), comparison.PINK).any()

    comparison.show_differences(found, 4)

    picture = view.picture()
    for color in (comparison.PINK, comparison.ORANGE, comparison.GREY):
        assert is_color(picture, color).any()
    assert not is_color(picture, comparison.BLUE).any()  # nothing the expert alone drew

    # Where the scan lies in the view is shown by its bright square, rows and columns
    # 2 to 7. The student's bump is rows 10-29 and columns 50-57; an even square of 4
    # reaches one pixel further down and right: rows 9-31, columns 49-59.
    nodes.jump_to_voxel(volume, frame, 23.5, 31.5)
    picture = view.picture()
    square = np.argwhere(picture.mean(axis=-1) > 200)
    pixel = 640 / view.node.GetFieldOfView()[0] * 0.1
    edge = np.argwhere(is_color(picture, comparison.PINK))
    size = (edge.max(axis=0) - edge.min(axis=0)) / pixel
    middle = (edge.max(axis=0) + edge.min(axis=0)) / 2 - square.mean(axis=0)
    assert sorted(size) == pytest.approx([11, 23], abs=0.25)
    assert sorted(np.abs(middle) / pixel) == pytest.approx([15.5, 49.5], abs=0.25)


def test_decision_is_seen_at_once(dark, mask, make_volume, see):
    volume = make_volume(dark)
    node = segments.new_segmentation(volume, "annotations")
    second = mask.copy()
    second[2, 10:30, 50:58] = 1
    keys = [segments.add_segment(m, node, volume) for m in (mask, second)]
    node.GetDisplayNode().SetVisibility(False)
    found = comparison.compare(
        volume,
        *[comparison.Annotator(node, key, "expert") for key in keys],
        kernel_size=4,
        rank_by="area",
        through_frames=False,
        on_event=lambda _: None,
    )
    view = see(volume, 640, 480)
    nodes.jump_to_voxel(volume, 2, 23.5, 31.5)
    case = adjudication.begin(found, "ab")
    before = is_color(view.picture(), comparison.YELLOW).sum()

    case.decide(found.regions[0], "nonexpert")

    assert before > 0
    assert not is_color(view.picture(), comparison.YELLOW).any()
    case.undo()
    assert is_color(view.picture(), comparison.YELLOW).sum() == before
