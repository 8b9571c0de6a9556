import json

import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.compare import adjudication, comparison
from MicroUSLib.event_pump import drain, ignore
from MicroUSLib.scene import annotations, segments
from MicroUSLib.scene.annotations import Annotator

from napari_microus.core.errors import InputError, OutputError


@pytest.fixture
def pair(mask):
    """Two annotations that differ in two frames."""
    second = mask.copy()
    second[1, 10:30, 50:55] = 1  # 100 pixels more
    second[3, 10:14, 20:50] = 0  # 120 pixels less
    return mask, second


@pytest.fixture
def chosen(pair, pixels, nifti, load_volume):
    """Scan with both annotations as segments of one node."""

    def make(kind="axis-aligned", transform=None):
        volume = load_volume(nifti(pixels, AFFINES[kind]))
        if transform is not None:
            volume.SetAndObserveTransformNodeID(transform.GetID())
        node = segments.new_segmentation(volume, "annotations")
        keys = [
            segments.add_segment(m, node, volume, name=name)
            for m, name in zip(pair, ("expert", "nonexpert"), strict=True)
        ]
        roles = ("expert", "non-expert")
        return volume, [Annotator(node, k, r) for k, r in zip(keys, roles, strict=True)]

    return make


def compare(volume, annotators, **changes):
    settings = {
        "kernel_size": 4,
        "rank_by": "contour_distance",
        "through_frames": False,
        "on_event": ignore,
    }
    return comparison.compare(volume, *annotators, **(settings | changes))


@pytest.mark.parametrize("kind", AFFINES)
def test_differences_are_shown_where_they_are(kind, chosen, pair, transform):
    from napari_microus.core.compare import hard_region

    volume, annotators = chosen(kind, transform)

    found = compare(volume, annotators)
    node = comparison.show_differences(found, 4)

    shown = {
        name: segments.segment_array(node, key, volume)
        for key, name in annotations.parts_of(node)
    }
    one, two = (m.astype(bool) for m in pair)
    np.testing.assert_array_equal(shown["Both"], one & two)
    np.testing.assert_array_equal(shown["Expert only"], one & ~two)
    np.testing.assert_array_equal(shown["Non-expert only"], two & ~one)
    np.testing.assert_array_equal(shown["Hard region (4 px)"], hard_region(one, two, 4))
    assert node.GetParentTransformNode() is transform
    assert node is not annotators[0].node


def test_table_and_totals_state_the_counts(chosen, pair):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    table = comparison.show_table(found)

    # A pixel is 0.1 × 0.1 mm; frame 1 has 600 and 700 pixels.
    assert table.GetNumberOfRows() == 5
    row = found.rows[1]
    assert row.expert_mm2 == pytest.approx(6.0)
    assert row.nonexpert_mm2 == pytest.approx(7.0)
    assert row.dice == pytest.approx(2 * 600 / 1300)
    assert len(found.regions) == 2
    column = slicer.util.arrayFromTableColumn(table, "disagreement_mm2")
    np.testing.assert_allclose(column, [0, 1.0, 0, 1.2, 0], atol=1e-6)


def test_scan_is_found_from_a_segmentation(chosen):
    volume, annotators = chosen()
    assert comparison.scan_of(None, *annotators) is volume


def test_same_annotation_twice_is_refused(chosen):
    volume, (expert, _) = chosen()
    with pytest.raises(InputError, match="differ in kind"):
        compare(volume, (expert, expert))


def test_decision_fills_the_adjudicated_segment(chosen, pair):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    case = adjudication.begin(found, "ab")

    for region in found.regions:
        case.decide(region, "nonexpert")

    parts = {name: key for key, name in annotations.parts_of(case.node)}
    settled = segments.segment_array(case.node, parts["Adjudicated"], volume)
    np.testing.assert_array_equal(settled, pair[1])
    assert segments.segment_array(case.node, parts["Undecided"], volume).sum() == 0


def test_undo_reopens_a_region(chosen, pair):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    case = adjudication.begin(found, "ab")
    case.decide(found.regions[0], "expert")

    assert case.undo() is found.regions[0]

    parts = {name: key for key, name in annotations.parts_of(case.node)}
    undecided = segments.segment_array(case.node, parts["Undecided"], volume)
    np.testing.assert_array_equal(undecided, pair[0] ^ pair[1])


def test_drawing_in_the_segment_is_kept_with_its_provenance(chosen):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    case = adjudication.begin(found, "ab")
    parts = {name: key for key, name in annotations.parts_of(case.node)}
    drawn = segments.segment_array(case.node, parts["Adjudicated"], volume)
    drawn[2, 40:44, 5:9] = 1  # as the Paint effect would
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        drawn, case.node, parts["Adjudicated"], volume
    )

    case.decide(found.regions[0], "expert")

    assert (case.work.provenance[2, 40:44, 5:9] == 3).all()
    assert case.work.mask[2, 41, 6] == 1


def test_removed_segment_is_reported_and_changes_nothing(chosen):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    case = adjudication.begin(found, "ab")
    parts = {name: key for key, name in annotations.parts_of(case.node)}
    case.node.GetSegmentation().RemoveSegment(parts["Undecided"])
    with pytest.raises(InputError, match="one was removed"):
        case.decide(found.regions[0], "expert")
    assert case.work.decided_count == 0


@pytest.mark.parametrize("kind", AFFINES)
def test_case_is_saved_as_napari_saves_it(kind, chosen, pair, tmp_path, transform):
    """The same masks, decisions and files without any MRML give the same bytes."""
    from napari_microus.core.compare import Adjudication, disagreement_map
    from napari_microus.core.compare.adjudication.document import (
        Origin,
        place_of,
    )
    from napari_microus.core.compare.adjudication.sidecar import (
        save_adjudication,
    )
    from napari_microus.core.io import read_volume

    volume, annotators = chosen(kind, transform)
    found = compare(volume, annotators)
    case = adjudication.begin(found, "ab")
    case.decide(found.regions[0], "expert")
    case.decide(found.regions[1], "undecided")
    case.save(str(tmp_path / "slicer.nii.gz"), overwrite=False)

    scan = read_volume(tmp_path / "scan.nii.gz")  # napari's path
    codes = disagreement_map(*pair)
    regions = drain(_regions(codes, scan.spacing_mm), ignore)
    work = Adjudication(codes, regions, who="ab")
    work.decide(regions[0], "expert")
    work.decide(regions[1], "undecided")
    settings = {  # as the dock Compare annotations writes them
        "rank_by": "contour_distance",
        "through_frames": False,
        "stretches": False,
        "smallest_px": 1,
        "blind": {"is_blind": False},
    }
    place = place_of(scan)
    origin = Origin("expert", "nonexpert", scan.spacing_mm, settings, place)
    save_adjudication(work, origin, scan, tmp_path / "napari.nii.gz")

    ours, theirs = (read_volume(tmp_path / f"{n}.nii.gz") for n in ("slicer", "napari"))
    np.testing.assert_array_equal(ours.array, theirs.array)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-5)
    stated = [_document(tmp_path / f"{n}.json") for n in ("slicer", "napari")]
    assert stated[0] == stated[1]


def _regions(codes, spacing_mm):
    from napari_microus.core.compare import disputed_regions

    return disputed_regions(codes, spacing_mm)


def _document(path):
    """A sidecar without the times, and with spacing as far as a header keeps it."""
    text = json.loads(path.read_text(encoding="utf-8"))
    for item in (text, *text["regions"], *text["log"]):
        for key in ("created", "modified", "when"):
            item.pop(key, None)
    text["spacing_mm"] = [round(v, 5) for v in text["spacing_mm"]]
    text["affine"] = [[round(v, 4) + 0.0 for v in row] for row in text["affine"]]
    for step in text["history"]["done"]:
        step["when"] = step["verdicts"] = ""
    for region in text["regions"]:
        for key in ("distance_mm", "area_mm2", "extent_mm"):
            region[key] = region[key] and round(region[key], 4)
    return text


def test_case_begun_elsewhere_is_finished_here(chosen, pair, tmp_path):
    from napari_microus.core.compare import Adjudication, disagreement_map
    from napari_microus.core.compare.adjudication.document import (
        Origin,
    )
    from napari_microus.core.compare.adjudication.sidecar import (
        save_adjudication,
    )
    from napari_microus.core.io import read_volume

    volume, annotators = chosen("left-handed")
    scan = read_volume(tmp_path / "scan.nii.gz")
    codes = disagreement_map(*pair)
    regions = drain(_regions(codes, scan.spacing_mm), ignore)
    work = Adjudication(codes, regions, who="ab")
    work.decide(regions[1], "nonexpert")
    work.mask[0, 5:8, 5:8] = 1
    work.hand_drawn((slice(0, 1), slice(None), slice(None)))
    origin = Origin("a", "b", scan.spacing_mm)
    paths = save_adjudication(work, origin, scan, tmp_path / "case.nii.gz")

    found = compare(volume, annotators)
    case, notice = adjudication.resume(found, str(paths[0]))

    assert notice == ""
    assert case.work.decided_count == 1
    assert case.work.next_open().number == regions[0].number
    parts = {name: key for key, name in annotations.parts_of(case.node)}
    np.testing.assert_array_equal(
        segments.segment_array(case.node, parts["Adjudicated"], volume), work.mask == 1
    )
    case.decide(case.work.next_open(), "expert")
    case.save(str(tmp_path / "done.nii.gz"), overwrite=False)
    assert (
        json.loads((tmp_path / "done.json").read_text(encoding="utf-8"))["expert"]
        == "a"
    )


def test_sidecar_of_another_case_is_refused(chosen, tmp_path):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="napari-microus-adjudication"):
        adjudication.resume(found, str(tmp_path / "other.json"))


def test_consensus_becomes_a_segment(chosen, pair):
    volume, annotators = chosen()
    node, key = comparison.add_consensus(volume, annotators, "intersection", ignore)
    np.testing.assert_array_equal(
        segments.segment_array(node, key, volume), pair[0] & pair[1]
    )
    assert node is not annotators[0].node


def test_staple_of_two_is_refused_with_the_reason(chosen):
    volume, annotators = chosen()
    with pytest.raises(InputError, match="three or more annotators"):
        comparison.add_consensus(volume, annotators, "staple", ignore)


def begun_in_parts(pair, path):
    """Decide as napari's dock does: stretches, pixels, in between, notes, strokes."""
    from napari_microus.core.compare import (
        Adjudication,
        disagreement_map,
        disputed_regions,
    )
    from napari_microus.core.compare.adjudication.between import contour_between
    from napari_microus.core.compare.adjudication.document import (
        Origin,
        place_of,
    )
    from napari_microus.core.compare.adjudication.history import Note
    from napari_microus.core.compare.adjudication.sidecar import (
        save_adjudication,
    )
    from napari_microus.core.io import read_volume

    scan = read_volume(path.with_name("scan.nii.gz"))
    codes = disagreement_map(*pair)
    regions = drain(disputed_regions(codes, scan.spacing_mm, stretches=True), ignore)
    work = Adjudication(codes, regions, who="ab")
    work.decide(regions[0], "expert")
    work.decide_between(regions[1], contour_between(codes, regions[1], 0.5), 0.5)
    last = regions[-1]
    half = last.mask & (np.indices(last.mask.shape)[2] < last.mask.shape[2] // 2)
    work.decide_pixels(last.box, half, "nonexpert")
    work.notes[1] = Note("shadow", "look again", is_flagged=True)
    work.mask[0, 5:8, 5:8] = 1
    work.hand_drawn((slice(0, 1), slice(None), slice(None)))
    origin = Origin("a", "b", scan.spacing_mm, {}, place_of(scan))
    save_adjudication(work, origin, scan, path)
    return work


@pytest.mark.parametrize("kind", ["axis-aligned", "left-handed"])
def test_parts_decided_in_napari_go_on_and_are_undone_here(
    kind, chosen, pair, tmp_path
):
    volume, annotators = chosen(kind)
    work = begun_in_parts(pair, tmp_path / "case.nii.gz")
    found = compare(volume, annotators)

    case, notice = adjudication.resume(found, str(tmp_path / "case.nii.gz"))

    assert notice == ""
    assert case.work.notes[1].is_flagged
    assert case.work.decided_by_pixel() == work.decided_by_pixel() != {}
    parts = {name: key for key, name in annotations.parts_of(case.node)}

    def shown():
        return segments.segment_array(case.node, parts["Adjudicated"], volume)

    np.testing.assert_array_equal(shown(), work.mask == 1)
    while work.undo() is not None:
        case.undo()
        np.testing.assert_array_equal(shown(), work.mask == 1)
    assert case.undo() is None


def test_sidecar_made_elsewhere_in_the_patient_is_refused(chosen, pair, tmp_path):
    volume, annotators = chosen()
    begun_in_parts(pair, tmp_path / "case.nii.gz")
    document = json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))
    document["affine"][0][3] += 4
    (tmp_path / "case.json").write_text(json.dumps(document), encoding="utf-8")
    found = compare(volume, annotators)
    with pytest.raises(InputError, match="must belong to this scan"):
        adjudication.resume(found, str(tmp_path / "case.json"))


def test_an_adjudication_of_another_annotators_masks_is_not_replaced(
    chosen, pair, tmp_path
):
    from napari_microus.core.compare import Adjudication
    from napari_microus.core.disagreement import disagreement_map

    volume, annotators = chosen()
    begun_in_parts(pair, tmp_path / "case.nii.gz")  # by 'a' and 'b'
    expert, other = pair[0], np.roll(pair[1], 2, axis=2)
    work = Adjudication(disagreement_map(expert, other), [], who="ab")
    document = json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))
    document["mask_sha256"][1] = work.mask_digests[1]
    document["masks_sha256"] = work.digest
    (tmp_path / "case.json").write_text(json.dumps(document), encoding="utf-8")
    before = (tmp_path / "case.json").read_bytes()

    case, notice = adjudication.resume(
        compare(volume, annotators), str(tmp_path / "case.nii.gz")
    )
    assert "masks have changed" in notice
    with pytest.raises(OutputError, match="adjudication of other masks"):
        case.save(str(tmp_path / "case.nii.gz"), overwrite=True)
    assert (tmp_path / "case.json").read_bytes() == before
    case.release()


def test_masks_are_adjudicated_in_one_window(chosen):
    volume, annotators = chosen()
    found = compare(volume, annotators)
    case = adjudication.begin(found, "ab")
    with pytest.raises(InputError, match="one window at a time"):
        adjudication.begin(compare(volume, annotators), "cd")
    case.release()
    adjudication.begin(found, "cd").release()
