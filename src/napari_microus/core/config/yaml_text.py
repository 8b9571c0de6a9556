"""YAML from people and strangers: no code, and nothing that grows without end."""

from __future__ import annotations

from typing import Any

import yaml


def wrong_in(error: Exception) -> str:
    """Return in a line what a parser found wrong, and where."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or not problem:
        return str(error).replace("\n", " ")
    return f"line {mark.line + 1}: {problem}"


# Settings hold some hundreds of values; aliases of aliases make billions of a page.
_MOST_VALUES = 100_000


def read_yaml(text: str) -> Any:
    """Return what a text in YAML holds.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, or holds more than 100,000 values, aliases counted each time.
    """
    try:
        found = yaml.safe_load(text)
    except (RecursionError, ValueError) as error:  # ValueError: a date of no calendar
        raise yaml.YAMLError(str(error)) from error
    left = [found]
    for _ in range(_MOST_VALUES):
        if not left:
            return found
        value = left.pop()
        if isinstance(value, dict):
            left += [*value.keys(), *value.values()]
        elif isinstance(value, (list, tuple, set)):
            left += value
    raise yaml.YAMLError(f"more than {_MOST_VALUES:,} values")
