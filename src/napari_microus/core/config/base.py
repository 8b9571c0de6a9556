"""Settings as frozen dataclasses that check themselves and travel as YAML.

A setting is checked where the object is made; a key that no field has is an error
which names the nearest known one.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import yaml

from napari_microus.core.config.yaml_text import read_yaml, wrong_in
from napari_microus.core.errors import ConfigError
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# How alike a mistyped key and a setting must be for the one to be offered.
_NEAR = 0.6


def require(claim: bool, what: str, value: object, advice: str) -> None:
    """Raise a ConfigError ``<what>; got <value>. <advice>`` unless ``claim`` holds."""
    if not claim:
        raise ConfigError(
            f"{what}; got {value}. {advice}", plain=_in_plain_words(what, value, advice)
        )


def _in_plain_words(what: str, value: object, advice: str) -> str:
    name, must, rule = what.partition(" must ")
    if not must:
        return f"{what}, and this is {value}. {advice}"
    has = "cannot" if rule.startswith("not ") else "has to"
    return f"{name} is {value}, and {has} {rule.removeprefix('not ')}. {advice}"


@dataclass(frozen=True)
class Bounds:
    """What a number must lie between; the ends belong to it unless they are open.

    A number must be finite whatever its bounds.
    """

    low: float
    high: float = math.inf
    is_low_open: bool = False
    is_high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.is_low_open else value >= self.low
        below = value < self.high if self.is_high_open else value <= self.high
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        low = f"{'above' if self.is_low_open else 'at least'} {self.low:g}"
        if math.isinf(self.high):
            return low
        return f"{low} and {'below' if self.is_high_open else 'at most'} {self.high:g}"


COUNT = Bounds(1, 1e9)
NOT_NEGATIVE = Bounds(0, 1e9)
CHANCE = Bounds(0, 1)


def check_bounds(config: Config, bounds: Mapping[str, Bounds]) -> None:
    """Raise a sentence for the first number of ``config`` outside its bounds.

    None passes, and each number of a tuple is looked at.

    Raises
    ------
    ConfigError
        With the field's name, its bounds and the number.
    """
    for name, allowed in bounds.items():
        value = getattr(config, name)
        for number in value if isinstance(value, tuple) else (value,):
            ok = number is None or number in allowed
            require(ok, f"{name} must be {allowed}", number, "Change it.")


class Config:
    """Base of all settings: frozen dataclasses that read and write YAML.

    Subclasses are frozen dataclasses and check their ranges in ``__post_init__``,
    every number by `check_bounds`.
    Fields may be bool, int, float, str, Path, Literal, tuple, dict, another Config,
    or any of these or None.
    """

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, section: str = "") -> Self:
        """Return the settings in ``values``; what is left out keeps its default.

        Raises
        ------
        ConfigError
            If a key is unknown, or a value has the wrong type or is out of range.
        """
        where = section or cls.__name__
        if not isinstance(values, dict):
            raise ConfigError(
                f"{where} must be a mapping of settings; got {values!r}. "
                "Write one 'name: value' a line.",
                plain=(
                    f"{section or 'The file'} holds {values!r} instead of settings. "
                    "Write one 'name: value' a line."
                ),
            )
        hints = typing.get_type_hints(cls)
        fields = {f.name: hints[f.name] for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        prefix = f"{section}." if section else ""
        for key in values:
            if key not in fields:
                advice = _advice(str(key), fields, hints)
                raise ConfigError(
                    f"{where} must hold known settings only; got '{key}'. {advice}",
                    plain=f"There is no setting '{prefix}{key}'. {advice}",
                )
        return cls(
            **{key: _convert(v, fields[key], prefix + key) for key, v in values.items()}
        )

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Return the settings in a YAML file.

        Raises
        ------
        ConfigError
            If the file cannot be read, is no YAML, or holds a wrong setting.
        """
        try:
            values = read_yaml(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"The configuration must be a readable file; got {path} "
                f"({error.strerror}). Check the path.",
                plain=(
                    f"Cannot read the settings in {path} ({error.strerror}). Check "
                    "the path."
                ),
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = wrong_in(error)
            raise ConfigError(
                f"The configuration must be valid YAML; got {path} ({reason}). "
                "Correct the line.",
                plain=(
                    f"The settings in {path} are no YAML ({reason}). Correct the line."
                ),
            ) from error
        return cls.from_dict({} if values is None else values)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain, YAML-ready data."""
        return {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    def to_yaml(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write every setting to a YAML file, whole or not at all.

        Raises
        ------
        OutputError
            If the file exists and ``overwrite`` is False, or cannot be written.
        """
        text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        with atomic_write(path, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _advice(key: str, fields: Iterable[str], hints: Mapping[str, Any]) -> str:
    """Return which setting was meant, also one of a part; else which there are."""
    names = {name: name for name in fields}
    for part, hint in hints.items():
        if isinstance(hint, type) and issubclass(hint, Config):
            inner = dataclasses.fields(hint)  # type: ignore[arg-type]
            names |= {f.name: f"{part}.{f.name}" for f in inner if f.name not in names}
    near = difflib.get_close_matches(key, names, n=1, cutoff=_NEAR)
    near = near or [name for name in names if len(key) > 2 and key in name][:1]
    if near:
        return f"Did you mean '{names[near[0]]}'?"
    return f"Known are {', '.join(fields)}."


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _convert(value: Any, hint: Any, name: str) -> Any:
    """Return a YAML value as the type of its field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        kinds = [kind for kind in arguments if kind is not type(None)]
        for kind in kinds[:-1]:
            try:
                return _convert(value, kind, name)
            except ConfigError:
                continue
        return _convert(value, kinds[-1], name)
    if origin is Literal:
        choices = ", ".join(map(repr, arguments))
        ok = any(value == a and type(value) is type(a) for a in arguments)
        require(ok, f"{name} must be one of {choices}", repr(value), "Choose one.")
        return value
    if origin is tuple:
        ok = isinstance(value, (list, tuple))
        require(ok, f"{name} must be a list", repr(value), "Write [a, b, ...].")
        if arguments[-1] is Ellipsis:
            kinds = [arguments[0]] * len(value)
        else:
            kinds = list(arguments)
            what = f"{name} must hold {len(kinds)} values"
            require(len(value) == len(kinds), what, len(value), "Correct the list.")
        return tuple(
            _convert(item, kind, f"{name}[{index}]")
            for index, (item, kind) in enumerate(zip(value, kinds, strict=True))
        )
    if origin is dict or hint is dict:
        ok = isinstance(value, dict)
        require(ok, f"{name} must be a mapping", repr(value), "Write key: value lines.")
        return value
    return _convert_plain(value, hint, name)


def _convert_plain(value: Any, hint: Any, name: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Config):
        return value if isinstance(value, hint) else hint.from_dict(value, section=name)
    if hint is Any:
        return value
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 1e-4 as text: it needs a dot in the mantissa.
        try:
            value = float(value)
        except ValueError:
            pass
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if hint is Path and isinstance(value, str):
        value = Path(value)
    # A bool is an int to Python, and never what a number was meant to be.
    ok = isinstance(value, hint) and not (hint is int and isinstance(value, bool))
    kinds = {int: "a whole number", float: "a number", bool: "true or false"}
    kinds |= {str: "text", Path: "a path"}
    require(ok, f"{name} must be {kinds.get(hint, hint)}", repr(value), "Correct it.")
    return value
