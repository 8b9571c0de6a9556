import pytest

from napari_microus.core.config.presets import preset_names
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.train.optimizer import create_optimizer
from napari_microus.core.train.start import start_network


@pytest.mark.parametrize("name", preset_names())
def test_the_optimiser_of_every_preset_fits_its_network(name):
    """A frozen module, say, must exist in the network that the preset starts from."""
    config = TrainConfig.preset(name)
    network, config = start_network(config)
    optimizer = create_optimizer(network, config.optimizer)
    learning = sum(p.numel() for g in optimizer.param_groups for p in g["params"])
    assert learning > 0
    frozen = [n for n, p in network.named_parameters() if not p.requires_grad]
    assert all(n.startswith(config.optimizer.freeze) for n in frozen)
    assert bool(frozen) == bool(config.optimizer.freeze)
