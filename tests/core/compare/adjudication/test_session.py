import numpy as np
import pytest

from napari_microus.core.compare.adjudication.adjudicated_mask import first_masks
from napari_microus.core.compare.adjudication.session import Adjudication
from napari_microus.core.compare.adjudication.votes import (
    HAND_DRAWN,
    Decision,
    as_two,
    vote_map,
)
from napari_microus.core.compare.regions import disputed_regions
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain


@pytest.fixture
def work():
    """Expert has a block on the left, non-expert one on the right, both one between."""
    expert = np.zeros((2, 12, 20), np.uint8)
    nonexpert = expert.copy()
    expert[0, 4:8, 4:10] = 1
    nonexpert[0, 4:8, 8:14] = 1
    nonexpert[1, 2:4, 2:4] = 1
    codes = disagreement_map(expert, nonexpert)
    regions = drain(disputed_regions(codes, (1, 1, 1)))
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
    assert work.decided_count == 3
    assert work.next_open() is None


@pytest.mark.parametrize("act", ["decide", "reopen"])
def test_no_region_is_no_decision(work, act):
    arguments = ([], "expert") if act == "decide" else ([],)
    with pytest.raises(InputError, match="must be on a region"):
        getattr(work, act)(*arguments)
    assert not work.log


def test_undo_brings_back_what_was_there(work):
    before = work.mask.copy(), work.provenance.copy()
    region = region_of(work, "expert", 0)
    work.decide(region, "expert")
    work.decide(region, "nonexpert")
    assert list(work.undo().verdicts) == [region.number]
    assert work.verdicts[region.number].decision is Decision.expert
    work.undo()
    np.testing.assert_array_equal(work.mask, before[0])
    np.testing.assert_array_equal(work.provenance, before[1])
    assert work.decided_count == 0
    assert work.undo() is None
    acts = [(entry.action, entry.decision) for entry in work.log]
    assert acts == [
        ("decide", "expert"),
        ("decide", "nonexpert"),
        ("undo", "expert"),
        ("undo", None),
    ]


def test_next_open_begins_again_at_the_front(work):
    first, second, third = work.regions
    assert work.next_open(first.number) is second
    work.decide(second, "undecided")
    assert work.next_open(first.number) is third
    assert work.next_open(third.number) is first


def test_drawing_by_hand_is_reported_apart_and_can_be_rubbed_out(work):
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
    start = drain(first_masks(codes))
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
    assert work.decided_count == 1


def state(work):
    return (
        work.mask.copy(),
        work.provenance.copy(),
        dict(work.verdicts),
        work.drawn_by_hand(),
        work.decided_by_pixel(),
    )


def assert_state(work, expected):
    for now, then in zip(state(work), expected, strict=True):
        if isinstance(then, np.ndarray):
            np.testing.assert_array_equal(now, then)
        else:
            assert now == then


def act_at_random(work, rng):
    """Do one thing that an adjudicator may do; return whether it is a step."""
    steps = len(work.history.done)
    region = work.regions[rng.integers(len(work.regions))]
    box = (slice(0, 2), slice(2, 9), slice(3, 12))
    brush = rng.random((2, 7, 9)) < 0.3
    kind = rng.integers(5)
    if kind == 0:
        work.decide(region, rng.choice(["expert", "nonexpert", "undecided"]))
    elif kind == 1:
        work.decide_pixels(box, brush, rng.choice(["expert", "nonexpert"]))
    elif kind == 2:
        work.reopen(region)
    elif kind == 3:
        work.mask[box][brush] = rng.choice([0, 1, 255])
        work.hand_drawn(box)
    else:
        work.decide_between(region, rng.random(region.mask.shape) < 0.5, 0.3)
    return len(work.history.done) > steps


def test_decisions_and_strokes_are_one_history(work):
    rng = np.random.default_rng(0)
    states = [state(work)]
    for _ in range(60):
        if act_at_random(work, rng):
            states.append(state(work))
    assert len(work.history.done) == len(states) - 1
    for then in reversed(states[:-1]):
        assert work.undo() is not None
        assert_state(work, then)
    assert work.undo() is None
    for then in states[1:]:
        assert work.redo() is not None
        assert_state(work, then)
    assert work.redo() is None


def test_a_new_act_forgets_what_was_undone(work):
    work.decide(work.regions[0], "expert")
    work.undo()
    work.decide(work.regions[1], "expert")
    assert work.redo() is None


def test_undo_of_a_stroke_leaves_the_decision_before_it(work):
    region = region_of(work, "expert", 0)
    work.decide(region, "expert")
    work.mask[0, 5, 5] = 0
    work.hand_drawn((slice(0, 1), slice(None), slice(None)))
    step = work.undo()
    assert (step.act, step.pixels) == ("draw", 1)
    assert work.mask[0, 5, 5] == 1
    assert work.verdicts[region.number].decision == "expert"


def test_a_region_is_reopened_as_it_was_found(work):
    before = state(work)
    region = region_of(work, "expert", 0)
    work.decide(region, "nonexpert")
    work.reopen(region)
    assert_state(work, before)
    assert work.log[-1].action == "reopen"
    assert work.undo().act == "reopen"
    assert work.verdicts[region.number].decision == "nonexpert"


def test_a_brush_decides_a_part_and_the_rest_stays_open(work):
    region = region_of(work, "expert", 0)  # rows 4 to 7, columns 4 to 7
    box = (slice(0, 1), slice(0, 12), slice(0, 6))
    everywhere = np.ones((1, 12, 6), bool)
    assert work.decide_pixels(box, everywhere, "expert") is region
    assert (work.mask[0, 4:8, 4:6] == 1).all()
    assert (work.mask[0, 4:8, 6:8] == 255).all()
    assert work.mask[0, 0, 0] == 0  # nobody drew there
    assert region.number not in work.verdicts
    assert work.open_share(region) == 0.5
    rest = (slice(0, 1), slice(0, 12), slice(6, 8))
    work.decide_pixels(rest, np.ones((1, 12, 2), bool), "nonexpert")
    assert work.verdicts[region.number].decision == "parts"
    assert work.decided_by_pixel() == {
        1: [84, 2, 104, 2, 124, 2, 144, 2],
        2: [86, 2, 106, 2, 126, 2, 146, 2],
    }
    outside = (slice(0, 1), slice(0, 2), slice(0, 2))
    assert work.decide_pixels(outside, np.ones((1, 2, 2), bool), "expert") is None


def test_a_brush_leaves_what_is_in_no_listed_region_open(work):
    small = region_of(work, "nonexpert", 1)
    work = Adjudication(work.codes, [r for r in work.regions if r is not small])
    everywhere = (slice(0, 2), slice(0, 12), slice(0, 20))
    work.decide_pixels(everywhere, np.ones((2, 12, 20), bool), "nonexpert")
    assert work.decided_count == 2
    assert (work.mask[1, 2:4, 2:4] == 255).all()


def test_several_regions_are_one_step(work):
    before = state(work)
    work.decide(work.regions, "nonexpert")
    assert work.decided_count == 3
    assert not (work.mask == 255).any()
    work.undo()
    assert_state(work, before)


def test_a_contour_between_is_reported_with_its_share(work):
    region = region_of(work, "expert", 0)
    inner = np.zeros(region.mask.shape, bool)
    inner[:, :, 2:] = True
    work.decide_between(region, inner, 0.25)
    assert (work.mask[0, 4:8, 4:6] == 0).all()
    assert (work.mask[0, 4:8, 6:8] == 1).all()
    assert (work.provenance[0, 4:8, 4:8] == 4).all()
    assert work.verdicts[region.number].share == 0.25


def test_three_annotators_are_adjudicated(work):
    first = np.array([[[1, 1, 1, 0, 1, 255]]], np.uint8)
    second = np.array([[[1, 1, 0, 0, 0, 1]]], np.uint8)
    third = np.array([[[1, 0, 0, 1, 1, 1]]], np.uint8)
    codes = vote_map([first, second, third])
    assert codes.tolist() == [[[7, 3, 1, 4, 5, 128]]]
    regions = drain(disputed_regions(as_two(codes, 3), (1, 1, 1)))
    work = Adjudication(codes, regions, annotators=3)
    assert work.mask.tolist() == [[[1, 255, 255, 255, 255, 255]]]
    work.decide(work.regions, "third")
    assert work.mask.tolist() == [[[1, 0, 0, 1, 1, 255]]]
    work.decide(work.regions, "majority")
    assert work.mask.tolist() == [[[1, 1, 0, 0, 1, 255]]]
    assert work.provenance.tolist() == [[[0, 11, 11, 11, 11, 255]]]
    with pytest.raises(InputError, match="must be one of expert, nonexpert, third"):
        work.decide(work.regions, "fourth")


def test_half_of_four_is_no_majority():
    masks = [np.array([[[v]]], np.uint8) for v in (1, 1, 0, 0)]
    codes = vote_map(masks)
    regions = drain(disputed_regions(as_two(codes, 4), (1, 1, 1)))
    work = Adjudication(codes, regions, annotators=4)
    work.decide(work.regions, "majority")
    assert work.mask.tolist() == [[[255]]]
    with pytest.raises(InputError, match="Between two and 7 annotators"):
        vote_map(masks * 2)


def test_what_was_done_again_can_be_undone_again(work):
    before = work.mask.copy()
    region = region_of(work, "expert", 0)
    work.decide(region, "expert")
    decided = work.mask.copy()
    assert (decided != before).any()
    for _ in range(2):
        assert work.undo() is not None
        np.testing.assert_array_equal(work.mask, before)
        assert work.redo() is not None
        np.testing.assert_array_equal(work.mask, decided)
        assert work.redo() is None
