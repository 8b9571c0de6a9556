import time

import pytest
import yaml

from napari_microus.core.config.train import TrainConfig
from napari_microus.core.config.yaml_text import read_yaml
from napari_microus.core.errors import ConfigError
from napari_microus.core.library import read_info

# 9 to the power of 9 values by aliases of aliases.
LAUGHS = "\n".join(
    ["a: &a [x, x, x, x, x, x, x, x, x]"]
    + [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
)


def test_few_aliases_are_read():
    assert read_yaml("a: &a [1, 2]\nb: [*a, *a]") == {
        "a": [1, 2],
        "b": [[1, 2], [1, 2]],
    }


@pytest.mark.parametrize(
    "text", [LAUGHS, "a: &a [*a]", "[" * 5000, "!!python/object/apply:os.system [ls]"]
)
def test_what_grows_without_end_or_runs_code_is_no_yaml(text):
    began = time.monotonic()
    with pytest.raises(yaml.YAMLError):
        read_yaml(text)
    assert time.monotonic() - began < 60  # it took hours, and all memory


def test_settings_and_models_with_such_a_text_are_refused(tmp_path):
    (tmp_path / "s.yaml").write_text(f"{LAUGHS}\nname: *i\n")
    with pytest.raises(ConfigError, match="must be valid YAML"):
        TrainConfig.from_yaml(tmp_path / "s.yaml")
    folder = tmp_path / "model"
    folder.mkdir()
    stated = f"architecture: transunet\n{LAUGHS}\noptions: {{hidden_size: *i}}\n"
    (folder / "config.yaml").write_text(stated)
    assert "is damaged (config.yaml)" in read_info(folder).problem
