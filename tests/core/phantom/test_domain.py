import dataclasses
import json

import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.phantom import (
    PhantomDomain,
    make_phantom,
    random_domain,
    training_batch,
    typical_domain,
)


def drawn(draw, count=200):
    return [draw(np.random.default_rng(seed)) for seed in range(count)]


def spread(domains, name):
    values = [getattr(domain, name) for domain in domains]
    return np.ptp(values)


@pytest.mark.parametrize("name", ["gland_db", "fat_db", "lateral_mm", "gain_db"])
def test_training_varies_more_widely_than_a_typical_scan(name):
    assert spread(drawn(random_domain), name) > 1.5 * spread(
        drawn(typical_domain), name
    )


def test_training_shows_glands_darker_and_brighter_than_what_lies_around():
    difference = [d.gland_db - d.outside_db for d in drawn(random_domain)]
    assert min(difference) < -3
    assert max(difference) > 3


def test_training_shows_both_orientations():
    flipped = [d.flipped for d in drawn(random_domain)]
    assert 0.1 < np.mean(flipped) < 0.9


def test_domain_travels_as_json():
    domain = random_domain(np.random.default_rng(0))
    text = json.dumps(dataclasses.asdict(domain))
    assert PhantomDomain(**json.loads(text)) == domain


def test_flipping_mirrors_the_same_patient():
    plain = PhantomDomain()
    flipped = dataclasses.replace(plain, flipped=True)
    a, b = (
        make_phantom(2, frames=1, shape=(64, 91), domain=domain)
        for domain in (plain, flipped)
    )
    np.testing.assert_array_equal(a.scan.array[:, :, ::-1], b.scan.array)
    np.testing.assert_array_equal(a.expert.array[:, :, ::-1], b.expert.array)


def test_a_louder_gland_is_brighter_than_its_surroundings():
    def contrast(gland_db):
        domain = PhantomDomain(gland_db=gland_db, fat_db=0, shadows=0, bladder=0)
        case = make_phantom(0, frames=1, shape=(96, 137), domain=domain)
        inside = case.expert.array > 0
        return case.scan.array[inside].mean() - case.scan.array[~inside].mean()

    assert contrast(8) > contrast(-8) + 20


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"depth_mm": 5}, "depth_mm must lie between 15 and 80; got 5"),
        ({"midline_loss": 1.5}, "midline_loss must lie between 0 and 1"),
        ({"gain_db": float("nan")}, "gain_db must be finite"),
    ],
)
def test_impossible_settings_are_named(change, sentence):
    with pytest.raises(InputError, match=sentence):
        PhantomDomain(**change)


def test_training_frames_hold_a_gland_in_about_nine_of_ten():
    _, expert, _ = training_batch(0, 60, 32)
    assert 0.75 < (expert.sum((1, 2)) > 0).mean() < 1
