"""What a person reads in a dock is a plain sentence, never 'X must be Y; got Z'."""

import ast
from pathlib import Path

import pytest

from napari_microus.core.config import TrainConfig
from napari_microus.core.errors import ConfigError, InputError

SOURCE = Path(__file__).parents[1] / "src" / "napari_microus"
#: What only code calls, with arrays: a person at a dock or the command line meets
#: the check of a setting or of a file before.
BY_CODE = (
    *("losses", "models/factory.py", "models/network_mean.py", "models/transunet.py"),
    *("metrics/masks.py", "metrics/surface_distance.py", "metrics/tolerance.py"),
    *("phantom/lesion.py", "phantom/texture.py", "hard_region.py"),
)


def trees(folder):
    files = [folder] if folder.suffix else sorted(folder.rglob("*.py"))
    for path in files:
        yield path.relative_to(SOURCE), ast.parse(path.read_text(encoding="utf-8"))


def is_formal(node):
    """Whether an expression holds the words in which errors speak to code."""
    return any(
        isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and "; got" in part.value
        for part in ast.walk(node)
    )


def raised(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            yield node.exc


def has_plain(call):
    return any(keyword.arg == "plain" for keyword in call.keywords)


def with_plain(tree):
    """Return every part of the calls that say it in plain words too."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {part for call in calls if has_plain(call) for part in ast.walk(call)}


def documented(tree):
    """Return the docstrings, which speak to programmers."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = (node for node in ast.walk(tree) if isinstance(node, kinds))
    firsts = (node.body[0] for node in nodes if node.body)
    return {first.value for first in firsts if isinstance(first, ast.Expr)}


def formal_texts(path, tree):
    """Return where a text speaks as errors do to code, and nothing beside it plainly.

    Also one that is no error, such as a notice or a reason in a table.
    """
    spared = with_plain(tree) | documented(tree)
    return [
        f"{path}:{node.lineno}: {node.value}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and is_formal(node) and node not in spared
    ]


def test_docks_and_the_command_line_speak_plainly():
    formal = [
        text
        for folder in ("widgets", "cli")
        for path, tree in trees(SOURCE / folder)
        for text in formal_texts(path, tree)
    ]
    assert not formal, "\n".join(formal)


def test_plain_words_are_plain():
    """None is the formal sentence over again."""
    for path, tree in trees(SOURCE):
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        for call in calls:
            for words in (k.value for k in call.keywords if k.arg == "plain"):
                said = "".join(
                    part.value if isinstance(part, ast.Constant) else "x"
                    for part in getattr(words, "values", [words])
                )
                where = f"{path}:{call.lineno}: {said}"
                assert " must " not in said, where
                assert "; got" not in said, where


def test_what_the_core_says_to_a_person_is_plain():
    formal = [
        text
        for path, tree in trees(SOURCE / "core")
        if not any(
            (SOURCE / "core" / one) in (SOURCE / path, *(SOURCE / path).parents)
            for one in BY_CODE
        )
        for text in formal_texts(path, tree)
        if "config/base.py" not in path.as_posix()  # see the settings below
    ]
    assert not formal, "\n".join(formal)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epochs": 0}, "epochs is 0, and has to be at least 1. "),
        ({"seed": -1}, "seed is -1, and cannot be negative. "),
        ({"epochs": "many"}, "epochs is 'many', and has to be a whole number. "),
        ({"epoch": 3}, "There is no setting 'epoch'. Did you mean 'epochs'?"),
    ],
)
def test_a_wrong_setting_is_stated_plainly(values, said):
    with pytest.raises(ConfigError, match="; got") as caught:
        TrainConfig.from_dict(values)

    assert caught.value.plain.startswith(said)


def test_an_error_at_a_place_names_it_in_both_its_sentences():
    error = InputError("It must be one; got two.", plain="There are two.")

    found = error.at("Case 'a'")

    assert type(found) is InputError
    assert str(found) == "Case 'a': It must be one; got two."
    assert found.plain == "Case 'a': There are two."
