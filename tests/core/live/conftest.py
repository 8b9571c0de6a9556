import numpy as np
import pytest
import torch

from napari_microus.core import samples
from openigtlink_server import Server


@pytest.fixture
def serve():
    servers = []

    def start(talk):
        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def real_frames():
    return np.ascontiguousarray(samples.read_sweep().scan.array)


class Bright(torch.nn.Module):
    """Takes what is brighter than the middle for the gland."""

    image_size = 32

    def forward(self, x):
        return 20 * (x - 0.5)


@pytest.fixture
def bright():
    return Bright()
