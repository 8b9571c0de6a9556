import pytest
import torch
from monai.inferers import sliding_window_inference

from napari_microus.core.errors import DeviceError
from napari_microus.core.multichannel.sliding import sliding_logits
from napari_microus.core.multichannel.spacing import resized, resized_mask, shape_at

CPU = torch.device("cpu")


def drained(work):
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def network(batch):
    """Not the same at each place of a window, so that the weights matter."""
    torch.manual_seed(0)
    gain = torch.rand(batch.shape[2:])
    return (batch * gain).sum(1, keepdim=True)


# Of MONAI's before 1.6, where PyTorch is newer than it knows.
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("shape", [(9, 40, 33), (4, 16, 20), (8, 16, 16)])
def test_is_monais_sliding_window(shape):
    stack = torch.randn(2, *shape)
    patch = (8, 16, 16)
    expected = sliding_window_inference(
        stack[None], patch, 2, network, overlap=0.25, mode="gaussian"
    )[0]

    found = drained(sliding_logits(network, stack, patch, device=CPU, overlap=0.25))

    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_memory_that_runs_out_halves_the_windows_and_changes_nothing():
    stack = torch.randn(1, 8, 64, 64)
    sizes = []

    def short(batch):
        sizes.append(len(batch))
        if len(batch) > 1:
            raise RuntimeError("CUDA out of memory")
        return network(batch)

    run = {"device": CPU, "batch_size": 4}
    found = drained(sliding_logits(short, stack, (8, 32, 32), **run))
    whole = drained(sliding_logits(network, stack, (8, 32, 32), **run))

    assert sizes[:3] == [4, 2, 1]
    torch.testing.assert_close(found, whole)


def test_a_window_that_never_fits_is_reported():
    def never(batch):
        raise RuntimeError("CUDA out of memory")

    with pytest.raises(DeviceError, match="8 × 16 × 16 voxels must fit"):
        drained(
            sliding_logits(never, torch.ones(1, 8, 16, 16), (8, 16, 16), device=CPU)
        )


def test_another_voxel_size_keeps_the_extent():
    assert shape_at((20, 300, 300), (3.0, 0.5, 0.5), (3.0, 1.0, 0.75)) == (20, 150, 200)
    assert shape_at((20, 300, 300), (3.0, 0.5, 0.5), None) == (20, 300, 300)


def test_a_ramp_stays_a_ramp_at_another_size():
    ramp = torch.arange(12.0).add(0.5).expand(1, 4, 6, 12)
    half = resized(ramp, (4, 6, 6))
    torch.testing.assert_close(half[0, 0, 0], torch.arange(6.0) * 2 + 1)
    back = resized(half, (4, 6, 12))
    torch.testing.assert_close(back[..., 1:-1], ramp[..., 1:-1])


def test_a_mask_keeps_its_size_and_what_is_undecided():
    mask = torch.zeros(4, 16, 16, dtype=torch.uint8)
    mask[1:3, 4:12, 4:12] = 1
    mask[:, :2] = 255
    half = resized_mask(mask, (4, 8, 8))
    assert (half == 1).sum() == 2 * 4 * 4
    assert (half[:, 0] == 255).all()
    assert (half == 255).sum() == 4 * 8
