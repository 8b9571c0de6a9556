"""Contours are closed, ordered, sub-pixel, in mm where mm are known, and come back."""

import csv
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.export import export
from napari_microus.core.export.contour_files import read_contours, write_contours
from napari_microus.core.export.contours import frame_contours, mask_of_contours
from napari_microus.core.sweep import Sweep
from napari_microus.core.sweep_space import frame_affines
from napari_microus.core.volume import Volume

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs" / "contours-schema.json").read_text("utf-8")
)
SWEEP = Sweep("rotational", "columns", -9.0, (-10.0, 0.0, 12.0))


def with_a_hole():
    frame = np.zeros((20, 24), np.uint8)
    frame[3:15, 4:16] = 1
    frame[6:9, 6:10] = 0
    frame[19, 20:24] = 1  # in the picture's corner
    return frame


def scan_of(*frames, **known):
    affine = np.diag([-0.3, -0.4, 1.0, 1.0])
    known.setdefault("metadata", {"frame_distance": "unknown"})
    return Volume(np.stack(frames), affine, **known)


def in_a_fan():
    frames = with_a_hole(), np.zeros((20, 24), np.uint8), with_a_hole()[::-1]
    metadata = {"sweep": SWEEP.to_dict(), "frame_distance": "unknown"}
    return scan_of(*frames, metadata=metadata, is_oriented=True)


def test_lines_run_between_pixels_and_know_holes():
    outer, hole, corner = frame_contours(with_a_hole())

    assert [c.is_hole for c in (outer, hole, corner)] == [False, True, False]
    # A rectangle of pixels, whose corners are cut at half a pixel.
    assert outer.area_px == 12 * 12 - 4 * 0.125
    # Round a hole the corners are cut too.
    assert hole.area_px == 3 * 4 - 4 * 0.125
    rows, columns = outer.points_px.T
    assert (rows.min(), rows.max()) == (2.5, 14.5)
    assert (columns.min(), columns.max()) == (3.5, 15.5)
    # Closed and in order: each step is one to the next pixel's border at most.
    steps = np.linalg.norm(np.roll(outer.points_px, -1, 0) - outer.points_px, axis=1)
    assert steps.max() <= 1.0
    assert corner.points_px[:, 0].max() == 19.5  # the picture's border


def test_probabilities_are_outlined_between_pixels():
    y, x = np.mgrid[:60, :80]
    radius = np.hypot(y - 30.2, x - 41.7)
    probability = np.clip(0.5 + (17.3 - radius) / 10, 0, 1).astype(np.float32)

    (contour,) = frame_contours(probability)
    (narrow,) = frame_contours(probability, level=0.7)

    away = np.hypot(*(contour.points_px - [30.2, 41.7]).T)
    np.testing.assert_allclose(away, 17.3, atol=0.02)
    np.testing.assert_allclose(
        np.hypot(*(narrow.points_px - [30.2, 41.7]).T), 15.3, atol=0.02
    )
    assert contour.area_px == pytest.approx(np.pi * 17.3**2, rel=0.002)


def test_masks_come_back_from_json(tmp_path):
    rng = np.random.default_rng(2)
    noise = gaussian_filter(rng.random((6, 50, 60)), (0, 3, 3))
    mask = Volume(
        (noise > np.median(noise)).astype(np.uint8), np.diag([-0.3, -0.4, 1.2, 1.0])
    )
    path = tmp_path / "contours.json"

    count = drain(write_contours(mask, path))
    back = read_contours(path)

    assert count > 6
    np.testing.assert_array_equal(back.array, mask.array)
    assert back.shares_grid(mask)
    assert back.knows_frame_distance
    assert not back.is_oriented


def test_json_follows_its_schema_and_keeps_the_geometry(tmp_path):
    path = tmp_path / "contours.json"
    mask = in_a_fan()

    drain(write_contours(mask, path))
    stated = json.loads(path.read_text("utf-8"))
    back = read_contours(path)

    jsonschema.validate(stated, SCHEMA)
    assert stated["unit"] == "mm"
    assert [frame["frame"] for frame in stated["frames"]] == [0, 2]
    line = stated["frames"][0]["contours"][0]
    np.testing.assert_allclose(
        line["points_mm"], np.array(line["points_px"]) * [0.4, 0.3], atol=1e-4
    )
    np.testing.assert_allclose(stated["frames"][1]["affine"], frame_affines(mask)[2])
    np.testing.assert_array_equal(back.array, mask.array)
    assert back.metadata["sweep"] == SWEEP.to_dict()
    assert back.is_oriented
    assert not back.knows_frame_distance


def test_csv_states_each_point_in_px_mm_and_space(tmp_path):
    path = tmp_path / "contours.csv"
    mask = in_a_fan()

    drain(write_contours(mask, path))

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["frame"] for row in rows} == {"0", "2"}
    assert {row["contour"] for row in rows} == {"0", "1", "2"}
    last = rows[-1]
    row, column = float(last["row_px"]), float(last["column_px"])
    assert float(last["y_mm"]) == pytest.approx(row * 0.4, abs=1e-4)
    assert float(last["x_mm"]) == pytest.approx(column * 0.3, abs=1e-4)
    space = [float(last[f"{way}_mm"]) for way in ("right", "anterior", "superior")]
    # By hand: 12° about an axis 9 mm above the picture; columns run to the left.
    radius = row * 0.4 + 9.0
    y, z = radius * np.cos(np.deg2rad(12)) - 9.0, radius * np.sin(np.deg2rad(12))
    np.testing.assert_allclose(space, [-column * 0.3, -y, z], atol=1e-3)


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_no_mm_where_the_size_is_unknown(tmp_path, suffix):
    path = tmp_path / f"contours{suffix}"
    mask = scan_of(with_a_hole(), has_geometry=False)

    drain(write_contours(mask, path))

    text = path.read_text("utf-8")
    if suffix == ".csv":
        assert "mm" not in text
    else:
        stated = json.loads(text)
        jsonschema.validate(stated, SCHEMA)
        assert stated["unit"] == "px"
        assert "points_mm" not in text
        assert (stated["pixel_mm"], stated["affine"]) == (None, None)
        back = read_contours(path)
        assert not back.has_geometry
        np.testing.assert_array_equal(back.array, mask.array)


def test_one_frame_of_known_size_has_mm_but_no_place(tmp_path):
    drain(write_contours(scan_of(with_a_hole()), tmp_path / "one.json"))

    stated = json.loads((tmp_path / "one.json").read_text("utf-8"))
    jsonschema.validate(stated, SCHEMA)
    assert stated["frames"][0]["affine"] is None
    assert "points_mm" in stated["frames"][0]["contours"][0]


def test_undecided_pixels_are_outside():
    frame = np.full((9, 9), 255, np.uint8)
    frame[3:6, 3:6] = 1

    contours = frame_contours(frame)

    inside = mask_of_contours(contours, frame.shape)
    np.testing.assert_array_equal(inside, frame == 1)


def test_events_state_the_frames_and_empty_masks_have_none(tmp_path):
    events = []
    mask = scan_of(*np.zeros((4, 8, 8), np.uint8))

    assert drain(write_contours(mask, tmp_path / "none.json"), events.append) == 0
    assert events[-1] == Progress(4, 4, "frames", "Outlining the frames")
    assert not read_contours(tmp_path / "none.json").array.any()


def test_nothing_is_overwritten_and_formats_are_known(tmp_path):
    mask, there = in_a_fan(), tmp_path / "there.csv"
    there.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="already exists"):
        drain(write_contours(mask, there))
    assert there.read_text("utf-8") == "mine"
    with pytest.raises(OutputError, match=r"\.json, \.csv; got contours\.xml"):
        drain(write_contours(mask, tmp_path / "contours.xml"))
    with pytest.raises(InputError, match="between 0 and 1; got 1"):
        drain(write_contours(mask, tmp_path / "c.csv", level=1))
    assert [p.name for p in tmp_path.iterdir()] == ["there.csv"]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("format", "other", "must be JSON of the format"),
        ("version", 2, "must be of version 1; got 2"),
        ("shape", [3, 20], "must state shape"),
        ("shape", [3, 20, 1 << 40], "must state shape"),
        ("shape", [True, 20, 24], "must state shape"),
        ("frames", {}, "must state frames"),
        ("frames", [{"frame": 3, "contours": []}], "must state frame as"),
        ("frames", [{"frame": 0}], "must state contours"),
        ("frames", [{"frame": 0, "contours": [{"points_px": [[1, 2]]}]}], "points_px"),
        (
            "frames",
            [{"frame": 0, "contours": [{"points_px": [[1, 2], [1e300, 1], [0, 0]]}]}],
            "points_px",
        ),
        ("affine", [[1]], "affine and sweep"),
        ("sweep", {"kind": "helical"}, "affine and sweep"),
    ],
)
def test_damaged_json_is_one_sentence(tmp_path, field, value, words):
    path = tmp_path / "contours.json"
    drain(write_contours(in_a_fan(), path))
    stated = json.loads(path.read_text("utf-8"))
    stated[field] = value
    path.write_text(json.dumps(stated), encoding="utf-8")

    with pytest.raises(InputError, match=words):
        read_contours(path)


def test_what_is_no_json_is_one_sentence(tmp_path):
    for name, text in (("a.json", "{"), ("b.json", "[1]"), ("c.json", "[" * 100_000)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=f"got {name}"):
            read_contours(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf, 255, -1])
def test_what_is_neither_a_mask_nor_a_probability_is_refused(value):
    frame = with_a_hole().astype(np.float32)
    frame[5, 5] = value
    with pytest.raises(InputError, match="a probability from 0 to 1"):
        frame_contours(frame)


@pytest.mark.parametrize("kind", ["csv", "json", "stl"])
def test_an_export_takes_any_mask_and_nothing_else(tmp_path, kind):
    mask = Volume(np.stack([with_a_hole()] * 2), np.diag([-0.1, -0.2, 2.0, 1.0]))
    plain = export(mask, None, tmp_path / f"a.{kind}").read_bytes()
    stored = mask.array * 255.0  # in floats, as a picture of a mask has it
    other = export(mask.like(stored), None, tmp_path / f"b.{kind}").read_bytes()
    assert other == plain

    stored[0, 5, 5] = np.nan
    with pytest.raises(InputError, match="must hold whole numbers"):
        export(mask.like(stored), None, tmp_path / f"c.{kind}")
