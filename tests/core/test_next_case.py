import pytest
import torch
from torch import nn

from drained import drained
from napari_microus.core.errors import InputError
from napari_microus.core.events import Notice, Progress, drain
from napari_microus.core.next_case import next_cases


class Echo(nn.Module):
    """Take brightness for certainty: bright is capsule, mid-grey a coin flip."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, x):
        return (x - 0.35) * self.scale


@pytest.fixture
def rank(study_of, case_of):
    def run(study):
        return drain(next_cases(study, Echo(), device="cpu"))

    return run


def test_the_scan_the_model_doubts_comes_first(study_of, case_of, rank):
    study = study_of(1)
    scan, _, _ = case_of(3)
    study.add_case("clear", "p5", scan)
    study.add_case("faint", "p6", scan.like((scan.array * 0.45).astype("uint8")))
    ranked = rank(study)
    assert [found.case.case for found in ranked] == ["faint", "clear"]
    assert ranked[0].uncertainty > ranked[1].uncertainty


def test_annotated_cases_and_the_test_set_are_left_alone(study_of, case_of, rank):
    study = study_of(2)
    study.add_case("locked", "p5", case_of(3)[0], split="test")
    with pytest.raises(InputError, match="must lack an expert mask"):
        rank(study)


def test_a_scan_that_cannot_be_read_is_left_out_and_named(study_of, case_of):
    study = study_of(1)
    study.add_case("good", "p5", case_of(3)[0])
    broken = study.add_case("broken", "p6", case_of(4)[0])
    study.path(broken.image).write_bytes(b"no scan")
    ranked, events = drained(next_cases(study, Echo(), device="cpu"))

    assert [found.case.case for found in ranked] == ["good"]
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert notice.message.startswith("'broken' was left out:")
    assert events[-1] == Progress(2, 2, "cases", "Ranking")


def test_no_readable_scan_is_an_error(study_of, case_of, rank):
    study = study_of(1)
    study.path(study.add_case("broken", "p6", case_of(4)[0]).image).unlink()
    with pytest.raises(InputError, match="must be readable to be ranked; got 1"):
        rank(study)
