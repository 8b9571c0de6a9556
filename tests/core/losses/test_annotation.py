import pytest
import torch

from napari_microus.core.errors import InputError
from napari_microus.core.losses import AnnotationGuidedBCE


@pytest.mark.parametrize("which", ["expert", "non-expert"])
def test_picture_of_a_mask_is_refused_by_a_loss(which):
    mask = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    mask[:, :, 2:5, 2:5] = 1
    masks = {"expert": mask, "non-expert": mask}
    masks[which] = mask * 255
    loss = AnnotationGuidedBCE()
    with pytest.raises(InputError, match=f"The {which} mask must hold 1"):
        loss(torch.zeros(2, 1, 8, 8), masks["expert"], masks["non-expert"])
    loss.refuses_raw = False  # as training does, whose masks were read as such
    assert loss(torch.zeros(2, 1, 8, 8), masks["expert"], masks["non-expert"]) >= 0
