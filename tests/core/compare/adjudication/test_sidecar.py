import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from napari_microus.core.compare.adjudication.document import (
    Origin,
    from_document,
    place_of,
    to_document,
)
from napari_microus.core.compare.adjudication.history import Note
from napari_microus.core.compare.adjudication.journal import (
    journal_path,
    read_journal,
    remove_journal,
    write_journal,
)
from napari_microus.core.compare.adjudication.session import Adjudication
from napari_microus.core.compare.adjudication.sidecar import (
    provenance_of,
    read_document,
    save_adjudication,
    write_document,
)
from napari_microus.core.compare.regions import disputed_regions
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import drain
from napari_microus.core.io import read_volume
from napari_microus.core.volume import Volume

SCHEMA = json.loads(
    (Path(__file__).parents[4] / "docs" / "adjudication-schema.json").read_text(
        encoding="utf-8"
    )
)
ORIGIN = Origin("expert.nii.gz", "student.nii.gz", (1.0, 0.5, 0.5), {"blind": False})


@pytest.fixture
def masks():
    rng = np.random.default_rng(1)
    expert = np.zeros((3, 30, 30), np.uint8)
    expert[:, 8:20, 8:20] = 1
    nonexpert = expert.copy()
    nonexpert[:2, 6:22, 10:14] = 1
    nonexpert[2] = 0
    nonexpert[0][rng.random((30, 30)) < 0.02] ^= 1
    return expert, nonexpert


@pytest.fixture
def work(masks):
    codes = disagreement_map(*masks)
    work = Adjudication(
        codes, drain(disputed_regions(codes, (1.0, 0.5, 0.5))), who="AB"
    )
    for region, decision in zip(
        work.regions, ("expert", "nonexpert", "undecided", "expert"), strict=False
    ):
        work.decide(region, decision)
    work.undo()
    work.mask[0, 1, 1:5] = 1
    work.hand_drawn((slice(0, 1), slice(0, 3), slice(0, 6)))
    return work


def test_two_that_begin_in_one_second_are_not_the_same(work, masks):
    codes = disagreement_map(*masks)
    other = Adjudication(codes, list(work.regions), who="AB")
    assert other.created != work.created


def test_the_document_keeps_to_the_schema(work):
    document = json.loads(json.dumps(to_document(work, ORIGIN), allow_nan=False))
    jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
    assert document["regions"][0]["distance_mm"] is None  # only the expert drew there


def test_saving_and_loading_resumes_where_one_stopped(work, masks, tmp_path):
    path = tmp_path / "sidecar.json"
    write_document(to_document(work, ORIGIN), path)

    again, origin, changed = from_document(
        read_document(path), disagreement_map(*masks)
    )

    assert changed is None
    assert origin == ORIGIN
    np.testing.assert_array_equal(again.mask, work.mask)
    np.testing.assert_array_equal(again.provenance, work.provenance)
    assert again.verdicts == work.verdicts
    assert again.log == work.log
    assert again.next_open().number == work.next_open().number
    assert again.created == work.created


def test_changed_masks_are_said_and_decisions_hold_where_still_disputed(work, masks):
    expert, nonexpert = masks
    document = to_document(work, ORIGIN)
    expert[0, 25:28, 25:28] = 1

    again, _, changed = from_document(document, disagreement_map(expert, nonexpert))

    assert changed is not None
    assert again.decided_count == work.settled
    assert (again.mask[0, 25:28, 25:28] == 255).all()


def test_a_newer_version_is_refused_with_what_to_do(work, masks):
    document = to_document(work, ORIGIN) | {"version": 3}
    with pytest.raises(InputError, match=r"version 2 or older; got 3\. Update"):
        from_document(document, disagreement_map(*masks))


def test_masks_of_another_size_are_refused(work, masks):
    document = to_document(work, ORIGIN)
    with pytest.raises(InputError, match="must fit the masks"):
        from_document(document, disagreement_map(*masks)[:2])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "must be JSON"),
        ("[]", "another kind of JSON"),
        ('{"format": "napari-microus-adjudication"}', "carry a version; got None"),
    ],
)
def test_other_files_are_refused(tmp_path, text, match):
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(InputError, match=match):
        read_document(path)
    with pytest.raises(InputError, match="must be readable"):
        read_document(tmp_path / "missing.json")


@pytest.mark.parametrize("key", ["regions", "log", "hand_drawn", "who"])
def test_a_damaged_document_is_refused(work, masks, key):
    document = to_document(work, ORIGIN)
    del document[key]
    with pytest.raises(InputError, match=f"damaged .field '{key}'.: it is missing"):
        from_document(document, disagreement_map(*masks))


@pytest.mark.parametrize("runs", [[1], [0, 0], [-1, 2], [2699, 5]])
def test_runs_that_leave_the_mask_are_refused(work, masks, runs):
    document = to_document(work, ORIGIN) | {"hand_drawn": {"1": runs}}
    with pytest.raises(InputError, match=r"field 'hand_drawn\.1'.*Runs must"):
        from_document(document, disagreement_map(*masks))


def test_the_three_files_lie_side_by_side_and_are_not_overwritten(
    work, masks, tmp_path
):
    grid = Volume.from_spacing(masks[0], (1.0, 0.5, 0.5))
    paths = save_adjudication(work, ORIGIN, grid, tmp_path / "p01.nii.gz")
    assert [path.name for path in paths] == [
        "p01.nii.gz",
        "p01_provenance.nii.gz",
        "p01.json",
    ]
    mask = read_volume(paths[0])
    np.testing.assert_array_equal(mask.array, work.mask)
    assert mask.shares_grid(grid)
    np.testing.assert_array_equal(read_volume(paths[1]).array, work.provenance)
    before = paths[0].stat().st_mtime_ns
    with pytest.raises(OutputError, match="already exists"):
        save_adjudication(work, ORIGIN, grid, tmp_path / "p01.nii.gz")
    assert paths[0].stat().st_mtime_ns == before
    save_adjudication(work, ORIGIN, grid, tmp_path / "p01.nii.gz", overwrite=True)


def test_names_of_the_companions():
    assert provenance_of("a/b.c.nii.gz") == Path("a/b.c_provenance.nii.gz")
    assert provenance_of("a/b.nii") == Path("a/b_provenance.nii")


def test_a_journal_survives_and_is_removed(work, masks, tmp_path):
    path = journal_path("ab" * 32, (3, 30, 30), (1, 0.1, 0.1), tmp_path / "new")
    assert read_journal(path) is None
    write_journal(to_document(work, ORIGIN), path)
    write_journal(to_document(work, ORIGIN), path)
    document = read_journal(path)
    again, _, _ = from_document(document, disagreement_map(*masks))
    np.testing.assert_array_equal(again.mask, work.mask)
    assert [left.name for left in path.parent.iterdir()] == [path.name]
    assert "student" not in path.name
    remove_journal(path)
    assert read_journal(path) is None


def test_a_broken_journal_is_kept_aside(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{")
    assert read_journal(path) is None
    assert [left.suffix for left in tmp_path.iterdir()] == [".unreadable"]


def test_a_journal_is_found_by_voxels_and_grid_alone(work, tmp_path):
    grid = (3, 30, 30), (1.0, 0.5, 0.5)
    path = journal_path(work.digest, *grid, tmp_path)
    assert path == journal_path(work.digest, grid[0], (1.0, 0.50001, 0.5), tmp_path)
    assert path != journal_path("0" * 64, *grid, tmp_path)
    assert path != journal_path(work.digest, grid[0], (1.0, 0.5, 0.501), tmp_path)
    assert path != journal_path(work.digest, (1, 30, 90), grid[1], tmp_path)


def test_an_older_journal_is_taken_where_it_alone_is_about_the_masks(work, tmp_path):
    path = journal_path(work.digest, (3, 30, 30), (1.0, 0.5, 0.5), tmp_path)
    document = to_document(work, ORIGIN)
    (tmp_path / "note.json").write_text("[1]")
    write_document(document, tmp_path / "named-after-layers.json", overwrite=True)
    other = document | {"masks_sha256": "0" * 64}
    write_document(other, tmp_path / "another-patient.json", overwrite=True)
    assert read_journal(path, "f" * 64) is None
    assert read_journal(path, work.digest) == document
    assert path.exists()
    path.rename(tmp_path / "one.json")
    write_document(document, tmp_path / "two.json", overwrite=True)
    assert read_journal(path, work.digest) is None  # which of the two?


# --- identity


def test_another_patient_of_equal_shape_is_refused(work, masks):
    document = to_document(work, ORIGIN)
    other = [np.roll(mask, 7, axis=2) for mask in masks]
    with pytest.raises(InputError, match="must have been made from these masks"):
        from_document(document, disagreement_map(*other))
    first = {**document, "version": 1}
    for name in ("mask_sha256", "history", "notes", "decided_by_pixel", "affine"):
        del first[name]
    with pytest.raises(InputError, match="must have been made from these masks"):
        from_document(first, disagreement_map(*other))


def test_the_same_masks_elsewhere_in_a_patient_are_refused(work, masks):
    grid = Volume.from_spacing(masks[0], (1.0, 0.5, 0.5))
    document = to_document(
        work, Origin("a", "b", grid.spacing_mm, affine=place_of(grid))
    )
    codes = disagreement_map(*masks)
    assert from_document(document, codes, grid=grid)[2] is None
    moved = grid.affine.copy()
    moved[0, 3] += 3
    elsewhere = Volume(masks[0], moved)
    with pytest.raises(InputError, match="must belong to this scan"):
        from_document(document, codes, grid=elsewhere)
    pictures = Volume(masks[0], np.eye(4), False)
    assert from_document(document, codes, grid=pictures)[2] is None


def test_a_sidecar_of_the_first_version_is_read(work, masks):
    document = to_document(work, ORIGIN)
    first = {**document, "version": 1}
    for name in ("others", "affine", "mask_sha256", "notes", "history"):
        del first[name]
    del first["decided_by_pixel"]
    first["regions"] = [
        {key: value for key, value in region.items() if key != "share"}
        for region in document["regions"]
    ]
    first["log"] = [entry for entry in document["log"] if entry["region"]]
    jsonschema.validate(
        json.loads(json.dumps(first)), SCHEMA, jsonschema.Draft202012Validator
    )
    again, _, changed = from_document(first, disagreement_map(*masks))
    assert changed is None
    np.testing.assert_array_equal(again.mask, work.mask)
    assert again.verdicts == work.verdicts
    assert again.undo() is None  # it had no history to keep


# --- history


def test_what_was_done_can_be_undone_after_a_reload(work, masks):
    before = work.mask.copy()
    region = work.regions[0]
    work.decide_pixels(
        region.box, region.mask & (np.indices(region.mask.shape)[2] > 1), "nonexpert"
    )
    work.notes[1] = Note("shadow", "look again", is_flagged=True)
    document = json.loads(json.dumps(to_document(work, ORIGIN)))
    again, _, _ = from_document(document, disagreement_map(*masks))
    assert again.notes == work.notes
    assert again.decided_by_pixel() == work.decided_by_pixel() != {}
    np.testing.assert_array_equal(again.provenance, work.provenance)
    assert again.undo().decision == "nonexpert"
    np.testing.assert_array_equal(again.mask, before)
    while again.undo():
        pass
    assert again.decided_count == 0
    assert not again.drawn_by_hand()
    while again.redo():
        pass
    np.testing.assert_array_equal(again.mask, work.mask)


def test_a_history_that_leads_elsewhere_is_left_out(work, masks):
    document = to_document(work, ORIGIN)
    document["history"]["done"][1]["runs"][2] ^= 1 << 16
    again, _, _ = from_document(document, disagreement_map(*masks))
    np.testing.assert_array_equal(again.mask, work.mask)
    assert again.undo() is None


# --- damage

_STRANGE = (
    None,
    True,
    -1,
    0,
    1,
    2,
    3,
    1 << 70,
    -(1 << 70),
    1e308,
    0.5,
    "",
    "x",
    "9" * 40,
    [],
    [1],
    [[]],
    {},
    {"1": [0, 1]},
    [0, 4],
    [0, 10**9],
    "expert",
    "parts",
)


def places(value, path=()):
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else (enumerate(value) if isinstance(value, list) else ())
    )
    for key, part in items:
        yield from places(part, (*path, key))


def changed_at(document, path, value):
    copy = json.loads(json.dumps(document))
    if not path:
        return value
    part = copy
    for key in path[:-1]:
        part = part[key]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return copy


def test_no_changed_field_gets_past_the_check(work, masks):
    """What is accepted keeps to the schema, and says no region twice."""
    rng = np.random.default_rng(3)
    document = json.loads(json.dumps(to_document(work, ORIGIN)))
    codes = disagreement_map(*masks)
    all_places = list(places(document))
    schema = jsonschema.Draft202012Validator(SCHEMA)
    refused = 0
    for _ in range(900):
        path = all_places[rng.integers(len(all_places))]
        value = (..., *_STRANGE)[rng.integers(len(_STRANGE) + 1)]
        damaged = changed_at(document, path, value)
        if damaged == document:
            continue
        try:
            again, _, _ = from_document(damaged, codes)
        except InputError:
            refused += 1
            continue
        again_document = json.loads(json.dumps(to_document(again, ORIGIN)))
        assert schema.is_valid(damaged), (path, value)
        schema.validate(again_document)
    assert refused > 500


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("area_mm2", 3.25),
        ("extent_mm", 0.5),
        ("frames", 2),
        ("distance_mm", 1e5),
        ("drawn_by", "both"),
        ("pixels", 1),
        ("box", [[0, 3], [0, 30], [0, 30]]),
    ],
)
def test_a_region_at_odds_with_its_pixels_is_refused(work, masks, key, value):
    document = json.loads(json.dumps(to_document(work, ORIGIN)))
    assert document["regions"][0][key] != value
    document["regions"][0][key] = value
    with pytest.raises(InputError, match=rf"damaged \(field 'regions\[0\]\.{key}'"):
        from_document(document, disagreement_map(*masks))


def test_a_deep_or_strange_json_is_refused(tmp_path):
    path = tmp_path / "deep.json"
    for content in ("[" * 100_000, '{"format": NaN}'):
        path.write_text(content)
        with pytest.raises(InputError, match="must be JSON"):
            read_document(path)
