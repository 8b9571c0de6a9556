from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from napari_microus.core.config import (
    BaselineConfig,
    Config,
    ModelConfig,
    TransUNetConfig,
)
from napari_microus.core.config.train import TrainConfig
from napari_microus.core.errors import ConfigError, OutputError


@dataclass(frozen=True)
class Example(Config):
    rate: float = 0.1
    count: int = 3
    flag: bool = False
    form: Literal["paper", "code"] = "paper"
    folder: Path | None = None
    pair: tuple[int, float] = (1, 2.0)
    names: tuple[str, ...] = ()
    model: TransUNetConfig = field(default_factory=TransUNetConfig)


def test_yaml_round_trip_keeps_every_setting(tmp_path):
    config = Example(
        rate=1e-4,
        folder=Path("a/b"),
        names=("ä", "b"),
        model=TransUNetConfig.small(image_size=256),
    )

    config.to_yaml(tmp_path / "config.yaml")

    assert Example.from_yaml(tmp_path / "config.yaml") == config


def test_a_setting_left_out_keeps_its_default(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("transunet: {num_layers: 3}\n")

    config = ModelConfig.from_yaml(path)

    assert config == ModelConfig(transunet=TransUNetConfig(num_layers=3))
    path.write_text("")
    assert ModelConfig.from_yaml(path) == ModelConfig()


def test_unknown_key_names_the_nearest_known_one():
    with pytest.raises(ConfigError, match=r"'hiden_size'\. Did you mean 'hidden_size'"):
        ModelConfig.from_dict({"transunet": {"hiden_size": 3}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": "fast"}, "rate must be a number; got 'fast'"),
        ({"count": 2.5}, "count must be a whole number; got 2.5"),
        ({"count": True}, "count must be a whole number; got True"),
        ({"flag": 1}, "flag must be true or false; got 1"),
        ({"form": "book"}, "form must be one of 'paper', 'code'; got 'book'"),
        ({"folder": 3}, "folder must be a path; got 3"),
        ({"pair": [1]}, "pair must hold 2 values; got 1"),
        ({"pair": [1, "x"]}, r"pair\[1\] must be a number"),
        ({"names": "a"}, "names must be a list; got 'a'"),
        ({"model": 4}, "model must be a mapping of settings; got 4"),
        ({"model": {"num_layers": "2"}}, "model.num_layers must be a whole number"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        Example.from_dict(values)


def test_exponents_without_a_dot_are_numbers(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("rate: 1e-4\n")

    assert Example.from_yaml(path).rate == 1e-4


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"- 1\n- 2\n"])
def test_a_file_that_is_no_configuration_is_named(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        Example.from_yaml(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="readable file"):
        Example.from_yaml(tmp_path / "none.yaml")


def test_an_existing_file_is_not_replaced_by_accident(tmp_path):
    path = tmp_path / "config.yaml"
    Example().to_yaml(path)

    with pytest.raises(OutputError, match="already exists"):
        Example(count=4).to_yaml(path)
    Example(count=4).to_yaml(path, overwrite=True)
    assert Example.from_yaml(path).count == 4


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        TransUNetConfig().num_layers = 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_size": 225}, "image_size must be a multiple of 16.*225. Choose 224"),
        ({"image_size": 16}, "at least 32; got 16"),
        ({"num_heads": 7}, "hidden_size must be a multiple of num_heads"),
        ({"num_layers": 0}, "num_layers must be at least 1"),
        ({"block_units": (3, 4)}, "three stages"),
        ({"block_units": (3, 4, 0)}, r"block_units\[2\] must be at least 1"),
        ({"decoder_channels": (8, 8)}, "four stages"),
        ({"num_skips": 4}, "num_skips must be 0 to 3"),
        ({"in_channels": 2}, "in_channels must be 1 or 3"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_dimensions_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        TransUNetConfig(**values)


def test_default_is_the_papers_network():
    config = TransUNetConfig()
    assert config == TransUNetConfig.base()
    assert (config.image_size, config.hidden_size, config.mlp_dim) == (224, 768, 3072)
    assert (config.num_heads, config.num_layers) == (12, 12)


def test_unknown_architecture_lists_the_known():
    with pytest.raises(ConfigError, match="'segresnet', 'swin_unetr'; got 'unet'"):
        ModelConfig(architecture="unet")


def test_image_size_is_that_of_the_network_in_use():
    baseline = BaselineConfig(image_size=256, spatial_dims=3)
    assert ModelConfig(baseline=baseline).image_size == 224
    assert ModelConfig("segresnet", baseline=baseline).image_size == 256
    assert ModelConfig("segresnet", baseline=baseline).spatial_dims == 3
    with pytest.raises(ConfigError, match="multiple of 32"):
        BaselineConfig(image_size=240)


# --- bounds ----------------------------------------------------------------------
def numeric_fields():
    """Every number of every configuration, found by its type."""
    import dataclasses
    import typing

    from napari_microus.core.config import model, train
    from napari_microus.core.config.base import Config

    for module in (model, train):
        for kind in vars(module).values():
            is_config = isinstance(kind, type) and issubclass(kind, Config)
            if not is_config or kind is Config or kind.__module__ != module.__name__:
                continue
            hints = typing.get_type_hints(kind)
            for one in dataclasses.fields(kind):
                hint = hints[one.name]
                options = typing.get_args(hint) or (hint,)
                number = next((k for k in (int, float) if k in options), None)
                if number is not None:
                    count = len(options) if typing.get_origin(hint) is tuple else 0
                    yield kind, one.name, number, count


@pytest.mark.parametrize(("kind", "name", "number", "count"), [*numeric_fields()])
@pytest.mark.parametrize("value", [-3, 10**13, float("nan"), float("inf")])
def test_every_number_has_bounds(kind, name, number, count, value):
    if name == "seed" and value == 10**13:
        value = 2**64
    if number is int and value not in (-3, 10**13, 2**64):
        pytest.skip("a whole number is never NaN: from_dict refuses it by its type")
    given = tuple([value] * count) if count else value
    with pytest.raises(ConfigError, match=r"; got "):
        kind(**{name: given})


def test_default_of_every_number_is_within_its_bounds():
    assert {kind() for kind, *_ in numeric_fields()}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("lerning_rate", "Did you mean 'optimizer.learning_rate'"),
        ("epoch", "Did you mean 'epochs'"),
        ("dice_wieght", "Did you mean 'loss.dice_weight'"),
        ("xyzzy", "Known are output, name"),
    ],
)
def test_mistyped_key_is_reported_the_setting_it_means(key, words):
    with pytest.raises(ConfigError, match=words):
        TrainConfig.from_dict({key: 1})
