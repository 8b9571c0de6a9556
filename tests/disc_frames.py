"""Discs as capsules, for the tests of *Correct capsule*."""

import numpy as np

SHAPE = (6, 80, 100)


def disc(middle=(40, 50), radius=20):
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    return np.hypot(y - middle[0], x - middle[1]) <= radius


def dice(one, two):
    return 2 * (one & two).sum() / (one.sum() + two.sum())
