import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.study.kind import check_kind
from napari_microus.core.study.table import StudyCase

FRAMES = StudyCase("f", "f", "f.nii")
VOLUME = StudyCase("v", "v", "t.mha", channels={"t2w": "t.mha", "adc": "a.mha"})


@pytest.mark.parametrize(
    ("case", "channels"), [(FRAMES, None), (VOLUME, 2), (FRAMES, 1)]
)
def test_the_kind_that_fits_passes(case, channels):
    check_kind([case], channels)


def test_the_other_kind_is_refused_in_plain_words():
    with pytest.raises(InputError, match="one channel; got t2w, adc for 'v'") as caught:
        check_kind([VOLUME], None)
    assert caught.value.plain.startswith("This study holds volumes of t2w, adc.")
    with pytest.raises(InputError, match="got one image a case") as caught:
        check_kind([FRAMES], 3)
    assert caught.value.plain.startswith("This study holds one image a case")
