"""Numbers of simple shapes, each worked out by hand beside it."""

import csv

import numpy as np
import pytest

from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError
from napari_microus.core.measure import (
    measure,
    summary,
    write_frames_csv,
    write_summary_csv,
)
from napari_microus.core.measure.measurements import ELLIPSOID_MASK
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume
from napari_microus.core.volumetry import NO_PIXEL_SIZE, PLANIMETRY, SECTORS


@pytest.fixture
def box():
    """4 frames of 10 × 12 pixels of 0.5 × 0.4 mm, 2 mm apart; 5 × 6 inside two."""
    array = np.zeros((4, 10, 12), np.uint8)
    array[1:3, 2:7, 3:9] = 1
    return Volume.from_spacing(array, (2.0, 0.5, 0.4))


def test_areas_and_extents_of_a_box(box):
    found = measure(box)

    # 5 rows of 0.5 mm by 6 columns of 0.4 mm
    frame = found.frames[1]
    assert (frame.area_px, frame.width_px, frame.height_px) == (30, 6, 5)
    assert frame.area_mm2 == pytest.approx(2.5 * 2.4)
    assert (frame.width_mm, frame.height_mm) == pytest.approx((2.4, 2.5))
    assert found.drawn == (1, 2)
    assert found.largest == frame
    assert (found.frames[0].area_px, found.frames[0].state) == (0, "empty")


def test_volume_of_a_box_is_that_of_its_slabs(box):
    found = measure(box)

    # 6 mm² in two frames of 2 mm
    assert found.volume.method == PLANIMETRY
    assert found.volume.ml == pytest.approx(6.0 * 2 * 2 / 1000)
    # diameters 2.4, 2.5 and two frames of 2 mm
    assert found.mask_diameters.as_tuple == pytest.approx((2.4, 2.5, 4.0))
    assert found.mask_ellipsoid.ml == pytest.approx(0.524 * 2.4 * 2.5 * 4 / 1000)
    assert found.mask_ellipsoid.method == ELLIPSOID_MASK
    assert found.best_volume is found.volume


def test_the_holes_of_an_outline_do_not_count_but_its_ends_do():
    array = np.zeros((3, 9, 9), np.uint8)
    array[1, 2:7, 2:7] = 1
    array[1, 3:6, 3:6] = 0
    array[1, 4, 8] = 255
    found = measure(Volume.from_spacing(array, (1, 1, 1)))

    assert (found.frames[1].area_px, found.frames[1].width_px) == (25 - 9, 5)
    assert any("1 undecided pixels" in notice for notice in found.notices)


def sphere(radius_mm, *, angles_deg, at_mm, pixel_mm=0.5, shape=(110, 120)):
    """A sphere whose centre lies in the frame of 0°, ``at_mm`` above the first row."""
    row, column = np.meshgrid(*(np.arange(n) * pixel_mm for n in shape), indexing="ij")
    depth = row - at_mm
    middle = shape[0] * pixel_mm / 2 - at_mm
    frames = [
        (column - shape[1] * pixel_mm / 2) ** 2
        + (depth * np.cos(t) - middle) ** 2
        + (depth * np.sin(t)) ** 2
        <= radius_mm**2
        for t in np.deg2rad(angles_deg)
    ]
    sweep = Sweep("rotational", "columns", at_mm, tuple(map(float, angles_deg)))
    metadata = {"sweep": sweep.to_dict(), "frame_distance": "unknown"}
    affine = np.diag([-pixel_mm, -pixel_mm, 1.0, 1.0])
    return Volume(np.array(frames, np.uint8), affine, True, metadata)


def test_a_sphere_beside_the_axis_has_one_diameter_and_its_volume():
    mask = sphere(15, angles_deg=np.arange(-40, 41, 1.0), at_mm=-8)

    found = measure(mask)

    assert found.volume.method == SECTORS
    assert found.volume.ml == pytest.approx(4 / 3 * np.pi * 15**3 / 1000, rel=0.01)
    assert found.mask_diameters.as_tuple == pytest.approx((30, 30, 30), abs=0.8)
    assert found.mask_ellipsoid.ml == pytest.approx(0.524 * 27, rel=0.04)


def test_diameters_are_not_estimated_where_the_outline_is_cut_off(box):
    ends = Volume(np.ones((4, 10, 12), np.uint8), box.affine)
    at_border = box.array.copy()
    at_border[1, 0] = 1
    turned = sphere(15, angles_deg=np.arange(0, 41, 1.0), at_mm=-8)

    for mask, reason in (
        (ends, "first or the last frame"),
        (box.like(at_border), "border of the picture"),
        (turned, "first or the last frame"),
    ):
        found = measure(mask)
        assert found.mask_ellipsoid.ml is None
        assert reason in found.mask_ellipsoid.method
        assert any("what lies beyond is not" in notice for notice in found.notices)


def test_nothing_is_in_mm_where_the_pixel_size_is_unknown(box):
    unsized = Volume(box.array, has_geometry=False)

    found = measure(unsized, psa_ng_ml=4.0)

    assert found.frames[1].area_px == 30
    assert found.frames[1].area_mm2 is found.frames[1].width_mm is None
    assert (found.volume.ml, found.volume.method) == (None, NO_PIXEL_SIZE)
    assert found.mask_ellipsoid.ml is None
    assert found.psa_density(found.best_volume) is None
    row = summary(found)
    assert row["largest_area_px"] == 30
    names = ("largest_area_mm2", "volume_ml", "mask_ellipsoid_ml", "psa_density")
    assert [row[name] for name in names] == [None] * 4


def test_no_millilitres_where_the_frames_distance_is_unknown(box):
    mask = Volume(box.array, box.affine, True, {"frame_distance": "unknown"})

    found = measure(mask)

    assert found.frames[1].area_mm2 == pytest.approx(6)
    assert found.volume.ml is found.mask_ellipsoid.ml is None
    assert "neither the distance" in found.volume.method
    assert "neither the distance" in found.mask_ellipsoid.method


def test_given_diameters_and_psa(box):
    found = measure(box, diameters_mm=(50, 40, 30), psa_ng_ml=6.0)

    assert found.ellipsoid.ml == pytest.approx(0.524 * 5 * 4 * 3)
    assert found.psa_density(found.ellipsoid) == pytest.approx(6 / (0.524 * 60))
    assert summary(found)["psa_density"] == pytest.approx(6 / 0.024)


def ramp(widths, shape=(4, 20, 20)):
    """Probabilities that fall outwards: nested squares of the given half widths."""
    row, column = np.indices(shape[1:])
    reach = np.maximum(abs(row - 10), abs(column - 10))
    frame = np.zeros(shape[1:], np.float16)
    for half, probability in sorted(widths.items(), reverse=True):
        frame[reach <= half] = probability
    return np.repeat(frame[None], shape[0], axis=0)


@pytest.fixture
def square():
    """Squares of 11 × 11 pixels of 1 mm in frames 1 and 2 of 4, 1 mm apart."""
    array = np.zeros((4, 20, 20), np.uint8)
    array[1:3, 5:16, 5:16] = 1
    return Volume.from_spacing(array, (1.0, 1.0, 1.0))


def test_interval_is_from_the_areas_at_two_probabilities(square):
    probability = ramp({7: 0.1, 6: 0.3, 5: 0.6, 4: 0.9})

    found = measure(square, probability=probability)

    # p ≥ 0.2 in 13 × 13 pixels, p ≥ 0.8 in 9 × 9; two frames of 1 mm
    sd = (169 - 81) / (2 * 0.8416)
    assert found.frames[1].area_sd_mm2 == pytest.approx(sd)
    low, high = found.volume.interval_ml
    assert high - found.volume.ml == pytest.approx(1.96 * sd * 2 / 1000)
    assert found.volume.ml - low == pytest.approx(1.96 * sd * 2 / 1000)
    assert found.no_interval == ""


def test_areas_of_nested_outlines_scatter_as_the_formula_says():
    """Outlines whose size is normal, and the probability that they make."""
    draw = np.random.default_rng(0)
    row, column = np.indices((160, 160)) - 80
    distance = np.hypot(row, column).astype(np.float32)
    areas = draw.normal(5000, 400, 2000)
    radii = np.sqrt(areas / np.pi)
    # The share of outlines beyond each pixel's distance
    probability = 1 - np.searchsorted(np.sort(radii), distance) / len(radii)
    mask = np.zeros((3, 160, 160), np.uint8)
    mask[1] = distance <= np.sqrt(5000 / np.pi)
    maps = np.repeat(probability[None], 3, axis=0)

    found = measure(Volume.from_spacing(mask, (1, 1, 1)), probability=maps)

    assert found.frames[1].area_sd_mm2 == pytest.approx(400, rel=0.05)


def test_pieces_elsewhere_have_no_say_in_the_interval(square):
    probability = ramp({6: 0.3, 5: 0.6, 4: 0.9})
    alone = measure(square, probability=probability).volume.interval_ml
    probability[:, 0, :] = 0.5

    assert measure(square, probability=probability).volume.interval_ml == alone


def test_frames_of_a_person_get_the_median_share_of_the_models(square):
    probability = ramp({6: 0.3, 5: 0.6, 4: 0.9})
    array = square.array.copy()
    array[2, 5:16, 5:10] = 0  # 11 × 6 are left
    probability[2] = 0  # where the model saw nothing

    found = measure(
        square.like(array), review=Review(4, edited={2}), probability=probability
    )

    share = (169 - 81) / (2 * 0.8416) / 121
    assert found.frames[1].area_sd_share == pytest.approx(share)
    assert found.frames[2].area_sd_mm2 == pytest.approx(share * 66)
    assert found.frames[0].area_sd_share is None


def test_why_there_is_no_interval_is_reported(square):
    probability = ramp({6: 0.3, 5: 0.6, 4: 0.9})
    by_hand = Review(4, edited={1, 2})

    assert "not at hand" in measure(square).no_interval
    found = measure(square, review=by_hand, probability=probability)
    assert "no frame stands as the model drew it" in found.no_interval
    assert found.volume.interval_ml is None


def test_errors_outlive_the_probability_where_the_outline_stands(square):
    probability = ramp({6: 0.3, 5: 0.6, 4: 0.9})
    before = measure(square, probability=probability)

    again = measure(square, before=before)
    assert again.volume.interval_ml == pytest.approx(before.volume.interval_ml)

    array = square.array.copy()
    array[1, 5] = 0
    fewer = measure(square.like(array), review=Review(4, edited={1}), before=before)
    share = before.frames[2].area_sd_share
    assert fewer.frames[1].area_sd_share == pytest.approx(share)


def test_review_and_confidence_come_from_the_provenance(box):
    made = {
        "review": {"edited": [1], "approved": [2]},
        "confidence": {"frames": {"1": 0.9, "2": 0.7, "9": 0.1}, "look_first": [2]},
    }

    found = measure(box, provenance=made)

    assert [size.state for size in found.frames[1:3]] == ["edited", "approved"]
    assert (found.edited, found.approved) == ((1,), (2,))
    assert found.least_sure.frame == 2
    row = summary(found)
    assert (row["edited"], row["approved"], row["drawn"], row["empty"]) == (1, 1, 2, 2)


def test_an_empty_mask_has_no_volume_of_zero(box):
    found = measure(box.like(np.zeros_like(box.array)))

    assert found.volume.ml is None
    assert found.volume.method == "No frame has an outline."
    assert found.largest is None
    assert found.drawn == ()


def test_a_sweep_that_sees_parts_twice_says_so():
    sweep = Sweep("rotational", "columns", 5.0, tuple(np.linspace(0, 270, 5)))
    mask = Volume(
        np.ones((5, 21, 20), np.uint8),
        np.diag([-0.5, -0.5, 1, 1]),
        True,
        {"sweep": sweep.to_dict(), "frame_distance": "unknown"},
    )

    found = measure(mask)

    assert found.volume.ml is None
    assert "sees a part of the gland twice" in found.volume.method


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"probability": np.zeros((3, 10, 12))}, "must share a grid"),
        ({"probability": np.full((4, 10, 12), 1.5)}, "between 0 and 1"),
        ({"probability": np.full((4, 10, 12), np.nan)}, "between 0 and 1"),
        ({"psa_ng_ml": -1.0}, "PSA must be"),
        ({"psa_ng_ml": float("nan")}, "PSA must be"),
        ({"diameters_mm": (50, 40)}, "length, width and height"),
        ({"diameters_mm": (50, 40, 0)}, "must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(box, given, words):
    with pytest.raises(InputError, match=words):
        measure(box, **given)


def test_tables_leave_empty_what_is_not_known(box, tmp_path):
    found = measure(box)
    write_frames_csv(found, tmp_path / "frames.csv")
    write_summary_csv({"C-1": found}, tmp_path / "cases.csv")

    with (tmp_path / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["area_mm2"] for row in rows] == ["0", "6", "6", "0"]
    assert {row["area_sd_mm2"] for row in rows} == {""}
    with (tmp_path / "cases.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["case"], row["volume_ml"], row["volume_low_ml"]) == ("C-1", "0.024", "")
    assert row["volume_method"] == PLANIMETRY


@pytest.mark.parametrize("value", [np.nan, 0.5])
def test_a_probability_is_not_measured_as_a_mask(value):
    array = np.zeros((2, 8, 9), np.float32)
    array[:, 2:5, 2:6] = 1
    array[1, 3, 3] = value
    with pytest.raises(InputError, match="must hold whole numbers"):
        measure(Volume(array))
