"""Odd arrays through every door: as a plain one, or refused with a sentence."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import degenerate

NEEDED = {"dask": "dask", "zarr": "zarr"}
CELLS = [
    (kind, door, expected)
    for kind, row in degenerate.EXPECTED.items()
    for door, expected in zip(degenerate.DOORS, row.split(), strict=True)
]


@pytest.mark.parametrize(("kind", "door", "expected"), CELLS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # zarr's, of its format
def test_an_odd_array_is_taken_as_a_plain_one_or_refused(
    kind, door, expected, tmp_path
):
    if kind in NEEDED:
        pytest.importorskip(NEEDED[kind])
    assert degenerate.try_cell(kind, door, tmp_path) == expected


def test_no_cell_is_untested():
    rows = degenerate.EXPECTED.keys() | {"over 4 GB"}  # degenerate.py --large
    assert rows == degenerate.ARRAYS.keys()


def test_the_table_is_that_of_the_documentation():
    page = Path(__file__).parents[2] / "docs" / "reliability.md"
    text = page.read_text(encoding="utf-8")
    for kind, row in degenerate.EXPECTED.items():
        assert f"| {kind} | {' | '.join(row.split())} |" in text
