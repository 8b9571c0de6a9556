import numpy as np
import pytest

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.phantom.lesion import make_lesion_case
from napari_microus.core.phantom.lesion_files import write_lesions
from napari_microus.core.study import Study, import_folder


@pytest.mark.parametrize("seed", range(6))
def test_a_lesion_lies_in_the_gland_and_shows_in_each_channel(seed):
    case = make_lesion_case(seed)
    lesion, gland = case.lesion.array == 1, case.gland.array == 1
    assert lesion.any()
    assert not (lesion & ~gland).any()
    healthy = gland & ~lesion
    mean = {
        n: (v.array[lesion].mean(), v.array[healthy].mean())
        for n, v in case.channels.items()
    }
    assert mean["t2w"][0] < mean["t2w"][1]
    assert mean["adc"][0] < mean["adc"][1]
    assert mean["hbv"][0] > mean["hbv"][1]
    assert all(v.shares_grid(case.lesion) for v in case.channels.values())


def test_one_seed_gives_one_examination():
    first, again, other = (make_lesion_case(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(
        first.channels["adc"].array, again.channels["adc"].array
    )
    assert (first.lesion.array != other.lesion.array).any()


def test_sizes_reach_from_small_to_large():
    ml = [make_lesion_case(s).lesion.array.sum() * 3e-3 for s in range(30)]
    assert min(ml) < 0.5
    assert max(ml) > 2


def test_given_shapes_are_kept_and_both_are_needed():
    gland = np.zeros((8, 32, 32), bool)
    gland[2:6, 8:24, 8:24] = True
    lesion = np.zeros_like(gland)
    lesion[3:5, 10:14, 10:14] = True
    case = make_lesion_case(0, shape=gland.shape, lesion=lesion, gland=gland)
    np.testing.assert_array_equal(case.lesion.array, lesion)
    with pytest.raises(InputError, match="lesion and gland, or neither"):
        make_lesion_case(0, shape=gland.shape, lesion=lesion)


def test_files_are_read_as_picai(tmp_path, drain):
    drain(write_lesions(tmp_path / "mri", count=2))
    study = Study(tmp_path / "study")
    import_folder(study, tmp_path / "mri")
    scan, mask, _ = study.read(study.cases[1])
    np.testing.assert_array_equal(mask.array, make_lesion_case(1).lesion.array)
    assert mask.shares_grid(scan)
    assert tuple(study.cases[0].channels) == ("t2w", "adc", "hbv")
    with pytest.raises(OutputError, match="must be new"):
        drain(write_lesions(tmp_path / "mri"))
