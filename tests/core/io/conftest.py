import numpy as np
import pytest

from napari_microus.core.volume import Volume


def turn(x: float, y: float, z: float) -> np.ndarray:
    """Rotation about three axes in turn, degrees."""
    a, b, c = np.deg2rad([x, y, z])
    about_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    about_y = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    about_z = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    return np.array(about_z) @ about_y @ about_x


def placed(axes: np.ndarray, origin: tuple[float, float, float]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = origin
    return affine


SPACING = np.diag([0.033586, 0.07, 1.0 / 3.0])  # x, y, z in mm

AFFINES = {
    "straight": placed(SPACING, (0, 0, 0)),
    "dicom": placed(np.diag([-1.0, -1.0, 1.0]) @ SPACING, (10.1, -20.2, 30.3)),
    "oblique": placed(turn(20, -35, 12) @ SPACING, (1 / 3, -40.123456789, 12.5)),
    "left-handed": placed(
        turn(-70, 15, 100) @ np.diag([1.0, 1.0, -1.0]) @ SPACING, (-3.7, 0.2, 99.9)
    ),
    "axes swapped": placed(np.eye(3)[[1, 2, 0]] @ SPACING, (5.5, 6.6, 7.7)),
}


@pytest.fixture(params=AFFINES, ids=list(AFFINES))
def affine(request) -> np.ndarray:
    return AFFINES[request.param]


@pytest.fixture
def oblique() -> np.ndarray:
    return AFFINES["oblique"]


@pytest.fixture
def mask(oblique) -> Volume:
    """Four frames of five rows and six columns with a box in it."""
    array = np.zeros((4, 5, 6), np.uint8)
    array[1:3, 1:4, 2:5] = 1
    return Volume(array, oblique)
