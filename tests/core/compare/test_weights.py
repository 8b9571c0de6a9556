import numpy as np
import pytest
import torch

from napari_microus.core.compare.weights import loss_weights, weight_picture
from napari_microus.core.losses import AnnotationGuidedBCE, DeepSupervision


@pytest.fixture
def pair():
    rng = np.random.default_rng(2)
    y, x = np.indices((64, 64))
    radius = np.hypot(y - 32, x - 32)
    one = (radius < 20)[None].astype(np.uint8)
    two = (radius + rng.normal(0, 2, radius.shape) < 21)[None].astype(np.uint8)
    return one, two


def test_weights_are_those_of_the_loss_at_every_scale(pair):
    """With equal logits everywhere the loss is the mean weight times one number."""
    weights = loss_weights(*pair, network_size=None, hard_weight=4)
    assert [(w.scale, w.kernel_size) for w in weights] == [
        (1, 4),
        (0.5, 3),
        (0.25, 2),
        (0.125, 1),
    ]
    criterion = DeepSupervision(AnnotationGuidedBCE(hard_weight=4, beta=0.5))
    outputs = [torch.zeros(1, 1, 64 >> power, 64 >> power) for power in range(4)]
    masks = [torch.from_numpy(mask)[:, None] for mask in pair]

    loss = float(criterion(outputs, *masks))

    each = 0.5 * np.log(2)  # beta times the cross-entropy of p = 1/2
    expected = sum(float(w.weight.mean()) * each for w in weights)
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_picture_says_how_many_easy_pixels_a_pixel_costs(pair):
    coarse = loss_weights(*pair, network_size=None)[3]
    picture = weight_picture(coarse, (64, 64))
    assert picture.shape == (1, 64, 64)
    assert set(np.unique(np.round(picture, 4))) == {1.0, 4.0}
    np.testing.assert_array_equal(picture[0, ::8, ::8] > 2, coarse.weight[0] > 0.5)


def test_undecided_pixels_weigh_nothing(pair):
    one, two = pair
    one[:, :32] = 255
    fine = loss_weights(one, two, network_size=None)[0]
    assert (fine.weight[:, :32] == 0).all()
    assert (weight_picture(fine, (64, 64))[:, :32] == 0).all()
    assert (loss_weights(one, two, network_size=32)[0].weight[:, :15] == 0).all()


def test_the_network_sees_a_square(pair):
    tall = [np.repeat(mask, 2, axis=1) for mask in pair]
    fine = loss_weights(*tall, network_size=48)[0]
    assert fine.weight.shape == (1, 48, 48)
