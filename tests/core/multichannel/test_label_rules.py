import numpy as np
import pytest

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.multichannel.label_rules import by_rule
from napari_microus.core.volume import Volume


def labels(*values):
    return Volume(np.array(values, np.uint8).reshape(1, 1, -1))


@pytest.mark.parametrize(
    ("rule", "stored", "expected"),
    [
        ("picai_cspca", (0, 1, 2, 3, 5, 255), (0, 0, 1, 1, 1, 255)),
        ("brats_whole_tumour", (0, 1, 2, 4), (0, 1, 1, 1)),
        ("brats_tumour_core", (0, 1, 2, 4), (0, 1, 0, 1)),
    ],
)
def test_rules(rule, stored, expected):
    assert by_rule(labels(*stored), rule).array.ravel().tolist() == list(expected)


def test_a_label_outside_the_rule_is_named():
    with pytest.raises(InputError, match=r"brats_whole_tumour \(0, 1, 2, 4, 255\); go"):
        by_rule(labels(0, 3), "brats_whole_tumour")


def test_an_unknown_rule_is_named():
    with pytest.raises(ConfigError, match="got 'kits'"):
        by_rule(labels(0, 1), "kits")
