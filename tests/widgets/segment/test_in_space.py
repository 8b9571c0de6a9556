import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Surface

from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress
from napari_microus.core.sweep import Sweep
from napari_microus.widgets._shared.layers import METADATA_KEY, volume_from_layer
from napari_microus.widgets.segment.in_space import add_in_space

ANGLES = np.arange(-40, 41, 4.0)
AT_MM = -9.0
# Of a sphere, in mm of the frame of 0°: frames, rows, columns.
CENTRE, RADIUS = np.array([0.0, 16.0, 15.0]), 9.0


def sphere(kind):
    """What a fan sees of a sphere."""
    row, column = np.meshgrid(np.arange(40), np.arange(40), indexing="ij")
    y, x = row * 0.9 - AT_MM, column * 0.75
    frames = [
        (y * np.sin(t) - CENTRE[0]) ** 2
        + (y * np.cos(t) + AT_MM - CENTRE[1]) ** 2
        + (x - CENTRE[2]) ** 2
        <= RADIUS**2
        for t in np.deg2rad(ANGLES)
    ]
    return np.array(frames).astype(kind)


def add_scan(viewer, *, sweep=True, **place):
    stated = {"frame_distance": "unknown"}
    if sweep:
        turning = Sweep("rotational", "columns", AT_MM, tuple(ANGLES.tolist()))
        stated["sweep"] = turning.to_dict()
    given = {
        "scale": (1.0, 0.9, 0.75),
        "units": ("mm",) * 3,
        "metadata": {METADATA_KEY: stated},
        **place,
    }
    scan = viewer.add_image(sphere(np.uint8) * 200, name="scan", **given)
    mask = viewer.add_labels(sphere(np.uint8), name="capsule", **given)
    return scan, mask


@pytest.fixture
def viewer(qapp):
    return ViewerModel()


class Heard:
    def __init__(self):
        self.events, self.layers, self.errors, self.ended = [], None, [], []

    @property
    def slots(self):
        return {
            "yielded": self.events.append,
            "returned": self.hear_layers,
            "errored": self.errors.append,
            "finished": self.hear_end,
        }

    def hear_layers(self, layers):
        self.layers = layers

    def hear_end(self):
        self.ended.append(True)


def run(qtbot, viewer, scan, mask, **options):
    heard = Heard()
    add_in_space(viewer, scan, mask, **options, **heard.slots)
    qtbot.waitUntil(lambda: bool(heard.ended))
    return heard


def middle_of(image):
    """Where the bright part of an image is in the world."""
    at = np.argwhere(image.data > 100)
    return np.array(image.data_to_world(at.mean(axis=0)))


def test_scan_and_capsule_lie_in_space(qtbot, viewer):
    scan, mask = add_scan(viewer)

    heard = run(qtbot, viewer, scan, mask)

    image, surface = heard.layers
    assert isinstance(image, Image)
    assert isinstance(surface, Surface)
    assert [layer.name for layer in viewer.layers] == [
        *("scan", "capsule", "scan in space", "capsule surface")
    ]
    assert not heard.errors
    assert isinstance(heard.events[0], Progress)
    # The frame of 0° stays where it was in the world.
    np.testing.assert_allclose(middle_of(image), CENTRE, atol=0.1)
    away = np.linalg.norm(surface.data[0] - CENTRE, axis=1)
    # It ends between a frame that shows it and the next, 4° or 1.8 mm further.
    np.testing.assert_allclose(away, RADIUS, atol=1.0)
    assert np.median(away) == pytest.approx(RADIUS, abs=0.1)
    assert viewer.dims.ndisplay == 3
    assert [layer.visible for layer in viewer.layers] == [False, False, True, True]
    assert image.units == surface.units == scan.units


def test_the_surface_shows_its_outside(qtbot, viewer):
    surface = run(qtbot, viewer, *add_scan(viewer)).layers[1]

    vertices, faces, _ = surface.data
    # napari turns points to (x, y, z) and the order of a face round: what is outside
    # by (z, y, x) stays so.
    a, b, c = (vertices[faces[:, n]] for n in range(3))
    normals = np.cross(b - a, c - a)
    outwards = (a + b + c) / 3 - CENTRE
    assert ((normals * outwards).sum(axis=1) > 0).mean() > 0.99


def test_the_plane_of_the_frame_in_view_is_shown(qtbot, viewer):
    scan, mask = add_scan(viewer)
    viewer.dims.set_current_step(0, 15)  # 20°

    image = run(qtbot, viewer, scan, mask).layers[0]

    assert image.depiction == "plane"
    normal = np.array(image.plane.normal)
    turn = np.deg2rad(20)
    np.testing.assert_allclose(normal, [np.cos(turn), -np.sin(turn), 0], atol=1e-6)
    z, y, x = image.data_to_world(image.plane.position)
    assert np.degrees(np.arctan2(z, y - AT_MM)) == pytest.approx(20)
    assert x == pytest.approx(15)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize(
    "place",
    [
        {"translate": (5, -3, 2)},
        {"rotate": (20, 10, -30), "translate": (1, 2, 3)},
        {"affine": [[0, 1, 0, 4], [1, 0, 0, 5], [0, 0, -1, 6], [0, 0, 0, 1]]},
    ],
)
def test_a_scan_that_was_moved_takes_them_along(qtbot, viewer, place):
    scan, mask = add_scan(viewer, **place)

    image, surface = run(qtbot, viewer, scan, mask).layers

    truth = scan.data_to_world(CENTRE / scan.scale)
    np.testing.assert_allclose(middle_of(image), truth, atol=0.1)
    away = np.linalg.norm(surface.data[0] - truth, axis=1)
    assert np.median(away) == pytest.approx(RADIUS, abs=0.1)


@pytest.mark.parametrize("place", [{}, {"translate": (5, -3, 2)}])
def test_the_scan_in_space_is_saved_where_it_lies(qtbot, viewer, place):
    scan, mask = add_scan(viewer, **place)
    # As read from a file: oblique, and off the origin.
    turn = np.eye(4)
    turn[:3, :3] = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]
    read = turn @ np.diag([0.75, 0.9, 1.0, 1.0])
    read[:3, 3] = 10, 20, 30
    for layer in (scan, mask):
        layer.metadata[METADATA_KEY] |= {"affine": read.tolist(), "is_oriented": True}

    image = run(qtbot, viewer, scan, mask).layers[0]

    saved = volume_from_layer(image)
    at = np.argwhere(image.data > 100).mean(axis=0)
    found = saved.affine @ [*at[::-1], 1]
    frame_0 = volume_from_layer(scan).affine
    truth = frame_0 @ [CENTRE[2] / 0.75, CENTRE[1] / 0.9, CENTRE[0], 1]
    np.testing.assert_allclose(found, truth, atol=0.1)
    assert saved.spacing_mm == pytest.approx((0.9, 0.9, 0.9))
    assert saved.is_oriented


def test_a_second_time_the_same_layers_are_renewed(qtbot, viewer):
    scan, mask = add_scan(viewer)
    first = run(qtbot, viewer, scan, mask).layers
    first[1].opacity = 0.2
    mask.data = sphere(np.uint8) & (np.arange(40) < 20)

    second = run(qtbot, viewer, scan, mask).layers

    assert second == first
    assert len(viewer.layers) == 4
    assert first[1].opacity == 0.2
    assert first[1].data[0][:, 2].max() < 15.5


def test_without_a_capsule_the_scan_alone_lies_in_space(qtbot, viewer):
    scan, mask = add_scan(viewer)
    mask.data = np.zeros_like(mask.data)

    assert len(run(qtbot, viewer, scan, mask).layers) == 1
    assert len(run(qtbot, viewer, scan, None).layers) == 1


def test_a_sweep_can_be_reported(qtbot, viewer):
    scan, mask = add_scan(viewer, sweep=False)
    sweep = Sweep("rotational", "columns", AT_MM, tuple(ANGLES.tolist()))

    image = run(qtbot, viewer, scan, mask, sweep=sweep).layers[0]

    np.testing.assert_allclose(middle_of(image), CENTRE, atol=0.1)


def test_an_unknown_sweep_is_said(qtbot, viewer):
    heard = run(qtbot, viewer, *add_scan(viewer, sweep=False))

    (error,) = heard.errors
    assert isinstance(error, InputError)
    assert "angles of a sweep; got neither" in str(error)
    assert len(viewer.layers) == 2
    assert all(layer.visible for layer in viewer.layers)


def test_work_that_is_stopped_adds_nothing(qtbot, viewer):
    heard = Heard()
    worker = add_in_space(viewer, *add_scan(viewer), **heard.slots)
    worker.quit()
    qtbot.waitUntil(lambda: bool(heard.ended))

    assert heard.layers is None
    assert len(viewer.layers) == 2


def test_a_scan_that_went_meanwhile_adds_nothing(qtbot, viewer):
    scan, mask = add_scan(viewer)
    heard = Heard()
    add_in_space(viewer, scan, mask, **heard.slots)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: bool(heard.ended))

    assert len(viewer.layers) == 0
    assert heard.layers == []


def test_what_is_no_stack_is_one_sentence(viewer):
    flat = viewer.add_image(np.zeros((5, 6)), name="flat")
    scan, _ = add_scan(viewer)
    other = viewer.add_labels(np.zeros((2, 5, 6), np.uint8))

    with pytest.raises(InputError, match="grey stack of frames; got 'flat'"):
        add_in_space(viewer, flat, None)
    with pytest.raises(InputError, match="share a grid; got"):
        add_in_space(viewer, scan, other)
