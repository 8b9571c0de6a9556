"""The mutants themselves; `make test-all` runs them against their packages' tests."""

import ast
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def mutants():
    sys.path.insert(0, str(HERE))
    try:
        import mutants
    finally:
        sys.path.remove(str(HERE))
    return mutants


def changes(mutants, tmp_path, text):
    path = tmp_path / "code.py"
    path.write_text(text, encoding="utf-8")
    return [(m.before, m.after) for m in mutants.mutants_of(path, tmp_path)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = a < b", [("x = a < b", "x = a <= b")]),
        ("x = a - 2", [("x = a - 2", "x = a + 2"), ("x = a - 2", "x = a - 3")]),
        ("x = a and b", [("x = a and b", "x = a or b")]),
        ("x = not a", [("x = not a", "x = a")]),
        ("x = True", [("x = True", "x = False")]),
        ("f(a)", [("f(a)", "pass")]),
        ("x.y = a", [("x.y = a", "pass")]),
        ("def f():\n    return a", [("return a", "return None")]),
        ("raise E", [("raise E", "pass")]),
        ("x += a", [("x += a", "x -= a"), ("x += a", "pass")]),
        ('"""Words."""\nx = "text"', []),
        ("def f(a: A | B) -> C | D: ...", []),
        ("if TYPE_CHECKING:\n    x = 1", []),
    ],
)
def test_one_thing_is_changed(mutants, tmp_path, text, expected):
    assert changes(mutants, tmp_path, text) == expected


def test_a_mutant_differs_from_its_file_in_one_statement(mutants):
    for mutant in mutants.sample("losses", 10, 1):
        before = ast.unparse(
            ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
        )
        pairs = zip(before.split("\n"), mutant.text.split("\n"), strict=True)
        assert sum(one != two for one, two in pairs) == 1, mutant.key


def test_a_seed_draws_the_same_mutants_again(mutants):
    first, second = (mutants.sample("metrics", 5, 7) for _ in range(2))
    assert [m.key for m in first] == [m.key for m in second]
    assert [m.key for m in mutants.sample("metrics", 5, 8)] != [m.key for m in first]


def test_equivalent_mutants_are_reported_with_a_reason_and_still_exist(mutants):
    known = json.loads(mutants.EQUIVALENT.read_text(encoding="utf-8"))
    files = {key.partition("::")[0] for key in known}
    there = {
        mutant.key for name in files for mutant in mutants.mutants_of(ROOT / name, ROOT)
    }
    assert set(known) <= there
    assert all(len(reason) > 20 for reason in known.values())
