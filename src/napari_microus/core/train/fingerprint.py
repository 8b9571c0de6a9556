"""What decided a run: settings, data, split and code, so that no other passes for it.

The fingerprint lies in the run's folder as ``fingerprint.json``. It names cases as the
study's manifest does; a model's card carries its digest alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_microus.core.config.loss import LOSS_NAMES
from napari_microus.core.events import Event, Progress
from napari_microus.core.extensions import LOSSES, NETWORKS, provider, source_digest
from napari_microus.core.files import atomic_write
from napari_microus.core.io.digests import content_digest
from napari_microus.core.provenance import package_version
from napari_microus.core.study.manifest import Study
from napari_microus.core.study.split import training_cases

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.study.table import StudyCase

FINGERPRINT = "fingerprint.json"
_FORMAT = 1
# Names, places and machines: they change nothing of what is learnt. What lies in a
# place is identified by its content.
_NOT_DECIDING = frozenset(
    {
        "output",
        "name",
        "start",
        "encoder_weights",
        "checkpoint_s",
        "device",
        "threads",
        "tensorboard",
        "mlflow",
        "to_library",
        "promote",
        "data.study",
        "data.unlabelled",
        "data.cache",
    }
)
# Of our own code, what a run's weights and figures depend on.
_SOURCES = (
    "config",
    "io",
    "losses",
    "metrics",
    "models",
    "multichannel",
    "study",
    "train",
    "disagreement.py",
    "hard_region.py",
    "mask.py",
    "preprocess.py",
    "volume.py",
)
_LIBRARIES = ("torch", "monai", "numpy")


@dataclass(frozen=True)
class Fingerprint:
    """What a run's weights follow from.

    Attributes
    ----------
    settings : dict
        Every deciding setting by its dotted name.
    cases : dict of dict
        By case of the study: its ``part`` ("train" or "val"), the SHA-256 of
        ``image``, ``expert`` and ``nonexpert`` ("" where there is none), and the
        ``pixel`` size that the manifest states.
    sources : dict of str
        SHA-256 of other data: ``phantoms`` (the code that makes them), ``unlabelled``,
        ``start`` and ``encoder_weights``.
    code : dict of str
        Versions, and ``source``, the SHA-256 of our own deciding code.
    continued : tuple of dict
        Other code with which the run went on, where somebody asked for that.
    """

    settings: dict[str, Any]
    cases: dict[str, dict[str, str]]
    sources: dict[str, str]
    code: dict[str, str]
    continued: tuple[dict[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return _digest_of(dataclasses.asdict(self))

    @property
    def parts(self) -> dict[str, str]:
        """Digests of the whole and its parts, as a model's card carries them."""
        return {
            "fingerprint": self.digest,
            "settings": _digest_of(self.settings),
            "data": _digest_of([self.cases, self.sources]),
            "code": _digest_of([self.code, *self.continued]),
        }

    def images(self, *parts: str) -> dict[str, str]:
        """Return the case that each image's digest belongs to, of these parts."""
        return {
            case["image"]: name
            for name, case in self.cases.items()
            if case["part"] in parts
        }

    def write(self, run: Path) -> None:
        """Put the fingerprint into a run's folder."""
        values = {"format": _FORMAT, **dataclasses.asdict(self)}
        with atomic_write(run / FINGERPRINT, overwrite=True) as path:
            path.write_text(json.dumps(values, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, run: Path) -> Self | None:
        """Return a run's fingerprint, None where it carries none that is whole."""
        try:
            values = json.loads((run / FINGERPRINT).read_text(encoding="utf-8"))
            if values.pop("format") != _FORMAT:
                return None
            continued = tuple(values.pop("continued"))
            return cls(**values, continued=continued)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


def take_fingerprint(
    config: TrainConfig, *, with_start: bool = True
) -> Generator[Event, None, Fingerprint]:
    """Return the fingerprint that a run of these settings has now.

    Parameters
    ----------
    config : TrainConfig
        Resolved, see `core.train.start.resolved`.
    with_start : bool
        Look at the weights it starts from; a run that continues needs them no more.

    Yields
    ------
    Progress
        In files, as each of the study's is read.

    Raises
    ------
    InputError
        If the study cannot be trained on, or a file is gone.
    """
    cases: dict[str, dict[str, str]] = {}
    if config.data.study is not None:
        study = Study.open(config.data.study)
        train, val, _ = training_cases(study, config.data.fold)
        parted = [("train", case) for case in train] + [("val", case) for case in val]
        for number, (part, case) in enumerate(parted, start=1):
            cases[case.case] = {"part": part, **case_digests(study, case)}
            yield Progress(number, len(parted), "cases", "Reading the data's digests")
    settings = flat(config.to_dict())
    decisive = {k: v for k, v in settings.items() if k not in _NOT_DECIDING}
    sources = _source_digests(config, with_start)
    code = code_version() | foreign_code(config)
    return Fingerprint(decisive, cases, sources, code)


def fingerprint_digest(run: Path) -> str:
    """Return the digest of a run's fingerprint, "" where it carries none."""
    found = Fingerprint.read(run)
    return "" if found is None else found.digest


def case_digests(study: Study, case: StudyCase) -> dict[str, str]:
    """Return the SHA-256 of a case's files, and the pixel size stated for it."""
    files = {"image": case.image, "expert": case.expert, "nonexpert": case.nonexpert}
    found = {
        role: content_digest(study.path(file)) if file else ""
        for role, file in files.items()
    }
    for name, file in case.channels.items():
        found[f"channel {name}"] = content_digest(study.path(file))
    if case.label_rule:
        found["label rule"] = case.label_rule
    size = case.spacing_mm
    return found | {"pixel": "" if size is None else f"{size[0]:g}x{size[1]:g}"}


def code_version() -> dict[str, str]:
    """Return the versions of the package, its deciding source and its libraries."""
    libraries = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            libraries[name] = "unknown"
    return {"napari-microus": package_version(), "source": _own_source(), **libraries}


def foreign_code(config: TrainConfig) -> dict[str, str]:
    """Return version and source of the packages of a run's network and loss."""
    used = []
    if config.model.is_foreign:
        used.append((NETWORKS, config.model.architecture))
    if config.loss.name not in LOSS_NAMES:
        used.append((LOSSES, config.loss.name))
    found = {}
    for group, name in used:
        package, _, number = provider(group, name).rpartition(" ")
        found[package] = number
        found[f"{package}'s source"] = source_digest(group, name)
    return found


def _source_digests(config: TrainConfig, with_start: bool) -> dict[str, str]:
    found = {}
    data = config.data
    if data.study is None or data.phantom_share > 0:
        from napari_microus.core.train.sources import phantom_version

        found["phantoms"] = phantom_version()
    if data.unlabelled is not None:
        from napari_microus.core.train.sources import texture_files

        files = texture_files(Path(data.unlabelled), data.unlabelled_skip)
        found["unlabelled"] = _digest_of([content_digest(path) for path in files])
    if not with_start:
        return found
    if config.start is not None:
        from napari_microus.core.library import find_model
        from napari_microus.core.library.store import WEIGHTS

        found["start"] = content_digest(find_model(config.start).path / WEIGHTS)
    elif config.encoder_weights is not None:
        found["encoder_weights"] = content_digest(config.encoder_weights)
    return found


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        else:
            found[before + name] = value
    return found


@lru_cache(maxsize=1)
def _own_source() -> str:
    core = Path(__file__).parents[1]
    files = []
    for name in _SOURCES:
        path = core / name
        files += [path] if path.is_file() else sorted(path.rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(core).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _digest_of(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
