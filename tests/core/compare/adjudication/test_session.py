import numpy as np
import pytest

from napari_microus.core.compare.adjudication.session import (
    HAND_DRAWN,
    Adjudication,
    Decision,
    first_masks,
)
from napari_microus.core.compare.regions import disputed_regions
from napari_microus.core.disagreement import disagreement_map


def finish(work):
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


@pytest.fixture
def work():
    """Expert has a block on the left, non-expert one on the right, both one between."""
    expert = np.zeros((2, 12, 20), np.uint8)
    nonexpert = expert.copy()
    expert[0, 4:8, 4:10] = 1
    nonexpert[0, 4:8, 8:14] = 1
    nonexpert[1, 2:4, 2:4] = 1
    codes = disagreement_map(expert, nonexpert)
    regions = finish(disputed_regions(codes, (1, 1, 1)))
    return Adjudication(codes, regions, who="AB")


def region_of(work, drawn_by, frame):
    return next(r for r in work.regions if r.drawn_by == drawn_by and r.frame == frame)


def test_what_both_drew_stands_and_the_rest_is_open(work):
    assert (work.mask[0, 4:8, 8:10] == 1).all()
    assert (work.mask[0, 4:8, 4:8] == 255).all()
    assert work.mask[0, 0, 0] == 0
    assert (work.provenance[0, 4:8, 8:10] == 0).all()
    assert (work.provenance[0, 4:8, 10:14] == 255).all()


def test_a_region_goes_to_the_annotator_who_is_right(work):
    work.decide(region_of(work, "expert", 0), Decision.expert)
    assert (work.mask[0, 4:8, 4:8] == 1).all()
    assert (work.provenance[0, 4:8, 4:8] == 1).all()
    work.decide(region_of(work, "nonexpert", 0), Decision.expert)
    assert (work.mask[0, 4:8, 10:14] == 0).all()
    work.decide(region_of(work, "nonexpert", 1), "nonexpert")
    assert (work.mask[1, 2:4, 2:4] == 1).all()
    assert (work.provenance[1, 2:4, 2:4] == 2).all()
    assert work.settled == 3
    assert work.next_open() is None


def test_undo_brings_back_what_was_there(work):
    before = work.mask.copy(), work.provenance.copy()
    region = region_of(work, "expert", 0)
    work.decide(region, "expert")
    work.decide(region, "nonexpert")
    assert work.undo() is region
    assert work.verdicts[region.number].decision is Decision.expert
    work.undo()
    np.testing.assert_array_equal(work.mask, before[0])
    np.testing.assert_array_equal(work.provenance, before[1])
    assert work.settled == 0
    assert work.undo() is None
    assert [entry.decision for entry in work.log] == ["expert", "nonexpert", None, None]


def test_next_open_begins_again_at_the_front(work):
    first, second, third = work.regions
    assert work.next_open(first.number) is second
    work.decide(second, "undecided")
    assert work.next_open(first.number) is third
    assert work.next_open(third.number) is first


def test_drawing_by_hand_is_told_apart_and_can_be_rubbed_out(work):
    box = (slice(0, 1), slice(0, 12), slice(0, 20))
    work.mask[0, 2, 2] = 1
    work.mask[0, 5, 5] = 0
    work.hand_drawn(box)
    assert work.provenance[0, 2, 2] == 3
    assert work.provenance[0, 5, 5] == 3
    assert work.drawn_by_hand() == {0: [5 * 20 + 5, 1], 1: [2 * 20 + 2, 1]}
    work.mask[0, 2, 2] = 0
    work.mask[0, 5, 5] = 255
    work.hand_drawn(box)
    assert work.provenance[0, 2, 2] == 0
    assert work.provenance[0, 5, 5] == 255
    assert work.drawn_by_hand() == {}


def test_drawing_far_from_any_dispute_is_taken_back(work):
    box = (slice(0, 1), slice(0, 12), slice(0, 20))
    work.mask[0, 2, 4] = 1  # two rows above the expert's block
    work.mask[0, 0, 4] = 1  # four rows above
    assert work.hand_drawn(box, margin_px=2)
    assert work.mask[0, 2, 4] == 1
    assert work.mask[0, 0, 4] == 0
    assert work.provenance[0, 0, 4] == 0


def test_a_limit_set_later_spares_what_was_drawn_before(work):
    box = (slice(0, 1), slice(0, 12), slice(0, 20))
    work.mask[0, 0, 0] = 1
    work.hand_drawn(box)
    assert not work.hand_drawn(box, margin_px=1)
    assert work.mask[0, 0, 0] == 1


def test_the_near_zone_is_cut_the_same_for_any_box(work):
    whole = work.near_dispute((slice(0, 1), slice(None), slice(None)), 3)
    part = work.near_dispute((slice(0, 1), slice(2, 9), slice(5, 16)), 3)
    np.testing.assert_array_equal(part, whole[:, 2:9, 5:16])


def test_a_pixel_that_an_annotator_left_open_stays_open():
    expert = np.array([[[255, 1, 0]]], np.uint8)
    work = Adjudication(disagreement_map(expert, expert * 0 + 1), [])
    assert work.mask.tolist() == [[[255, 1, 255]]]


def test_a_mask_edited_elsewhere_is_taken_over_as_hand_drawn(work):
    work.decide(work.regions[0], "expert")
    mask = work.mask.copy()
    mask[0, 0, :3] = 1
    work.take_mask(mask)
    np.testing.assert_array_equal(work.mask, mask)
    assert (work.provenance[0, 0, :3] == 3).all()
    assert work.drawn_by_hand() == {1: [0, 3]}


def test_undo_brings_hand_drawing_back_with_its_runs(work):
    region = region_of(work, "expert", 0)
    work.mask[0, 5, 5] = 0
    work.hand_drawn((slice(0, 1), slice(0, 12), slice(0, 20)))
    runs = work.drawn_by_hand()
    work.decide(region, "expert")
    assert work.mask[0, 5, 5] == 1
    assert work.drawn_by_hand() == {}
    work.undo()
    assert work.provenance[0, 5, 5] == 3
    assert work.provenance[0, 5, 6] == 255
    assert work.drawn_by_hand() == runs


def test_masks_prepared_beforehand_are_the_same(work):
    codes = work.codes.copy()
    codes[1, 9, 9] = 4  # undecided by one annotator
    steps = first_masks(codes)
    assert [(event.done, event.total) for event in (next(steps), next(steps))] == [
        (1, 2),
        (2, 2),
    ]
    start = finish(first_masks(codes))
    prepared = Adjudication(codes, work.regions, start=start)
    plain = Adjudication(codes, work.regions)
    assert prepared.mask is start[0]
    np.testing.assert_array_equal(prepared.mask, plain.mask)
    np.testing.assert_array_equal(prepared.provenance, plain.provenance)
    assert plain.mask[1, 9, 9] == plain.provenance[1, 9, 9] == 255


def test_an_editors_undo_takes_back_what_was_decided_since(work):
    everywhere = (slice(None), slice(None), slice(None))
    first = region_of(work, "expert", 0)
    second = region_of(work, "nonexpert", 0)
    before = work.mask.copy()
    work.decide(first, "expert")
    once = work.mask.copy()
    work.decide(second, "nonexpert")
    work.decide(first, "nonexpert")

    work.mask[:] = once  # as an editor puts it back
    changed = work.follow_drawing(everywhere)
    assert {region.number for region in changed} == {first.number, second.number}
    assert work.verdicts[first.number].decision == "expert"
    assert list(work.verdicts) == [first.number]
    assert not work.drawn_by_hand()

    work.mask[:] = before
    assert work.follow_drawing(everywhere) == [first]
    assert work.verdicts == {}
    assert not (work.provenance == HAND_DRAWN).any()


def test_a_stroke_through_a_decided_region_is_drawn_by_hand(work):
    region = region_of(work, "expert", 0)
    work.decide(region, "expert")
    row, column = np.argwhere(region.mask[0])[0]
    pixel = (0, region.box[1].start + row, region.box[2].start + column)
    work.mask[pixel] = 0
    assert work.follow_drawing((slice(0, 1), slice(None), slice(None))) == []
    assert work.provenance[pixel] == HAND_DRAWN
    assert work.settled == 1
