"""Weights whose bytes were changed are refused with our error, whatever they raise."""

import random
import zipfile

import numpy as np
import pytest
import torch

from napari_microus.core.errors import CheckpointError
from napari_microus.core.models.imagenet21k import read_imagenet21k
from napari_microus.core.models.weights import read_checkpoint


def test_a_checkpoint_with_changed_bytes_is_read_or_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.arange(60.0), "b": torch.ones(3, 4)}, path)
    data, draw, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 4))):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        path.write_bytes(changed)
        try:
            read_checkpoint(path)
        except CheckpointError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("version", [127, 255])
def test_an_archive_of_a_later_version_is_refused(tmp_path, version):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.ones(3))
    with zipfile.ZipFile(path) as archive:
        place = archive.infolist()[0].header_offset
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[place + 4] = data[central + 6] = version
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="its archive is broken"):
        read_imagenet21k(path)
