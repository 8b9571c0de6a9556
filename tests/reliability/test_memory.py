"""Memory that ends at some calls; `make test-all` tries more of them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import memory


def test_inference_continues_or_ends_with_a_sentence():
    calls, tries, went_on, sentences, wrong = memory.inference(6)
    assert not wrong
    assert tries == 18
    assert went_on + sentences == tries
    assert went_on >= 3  # the network's own calls are most of them
    assert calls > 100


@pytest.mark.slow
def test_training_continues_or_ends_with_a_sentence():
    _, tries, went_on, sentences, wrong = memory.training(6)
    assert not wrong
    assert went_on + sentences == tries
