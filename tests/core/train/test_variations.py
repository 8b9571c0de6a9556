import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.events import drain
from napari_microus.core.phantom import make_phantom
from napari_microus.core.study import Study
from napari_microus.core.train.variations import vary_a_frame


def test_the_frame_itself_comes_first_and_the_others_differ(tiny):
    found = drain(vary_a_frame(tiny(), count=3, seed=1))

    assert found.frames.shape == found.masks.shape == (4, 32, 32)
    assert found.masks[0].any()
    assert all((found.frames[0] != varied).any() for varied in found.frames[1:])


def test_without_variation_all_are_the_frame(tiny):
    still = tiny(augment={"rotation_deg": 0, "speckle": 0, "flip_horizontal": 0})
    found = drain(vary_a_frame(still, count=2))

    assert (found.frames == found.frames[0]).all()
    assert (found.masks == found.masks[0]).all()


def test_a_training_case_of_the_study_is_shown_at_its_largest_mask(tiny, tmp_path):
    study = Study.create(tmp_path / "study")
    for number, split in enumerate(("train", "val")):
        case = make_phantom(number, frames=3)
        expert = case.expert.array.copy()
        expert[:2] = 0  # only the last frame shows a capsule
        study.add_case(
            *(split, f"p{number}", case.scan, case.expert.like(expert)), split=split
        )
    config = tiny(data={"study": str(study.folder)})

    found = drain(vary_a_frame(config, seed=7))

    assert (found.case, found.frame) == ("train", 2)


def test_a_study_of_one_patient_is_refused(tiny, tmp_path):
    study = Study.create(tmp_path / "study")
    case = make_phantom(0, frames=2)
    study.add_case("only", "p", case.scan, case.expert)
    with pytest.raises(InputError, match="at least 2 patients"):
        drain(vary_a_frame(tiny(data={"study": str(study.folder)})))


def test_masks_move_with_their_frames(tiny):
    turned = tiny(augment={"rotation_deg": 0, "speckle": 0, "flip_horizontal": 1.0})
    found = drain(vary_a_frame(turned, count=1))

    np.testing.assert_array_equal(found.masks[1], found.masks[0, :, ::-1])
