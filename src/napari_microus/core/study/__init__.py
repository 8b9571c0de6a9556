"""A study: a folder of cases with a manifest, split by patient.

::

    study/
      manifest.csv    case, patient, image, expert, nonexpert, …, split, ignore
      cases/          scans and masks that were added here
      test_use.jsonl  when the test set was opened, and what for
"""

from napari_microus.core.study.check import Finding, check_study
from napari_microus.core.study.importing import import_folder
from napari_microus.core.study.manifest import Study
from napari_microus.core.study.nnunet_json import LabelChoiceError
from napari_microus.core.study.split import split_in_folds, split_study
from napari_microus.core.study.table import StudyCase

__all__ = [
    "Finding",
    "LabelChoiceError",
    "Study",
    "StudyCase",
    "check_study",
    "import_folder",
    "split_in_folds",
    "split_study",
]
