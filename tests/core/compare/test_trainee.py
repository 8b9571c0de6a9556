import math
import os
import re
from datetime import date

import numpy as np
import pytest

from napari_microus.core.compare.trainee import (
    bias_mm,
    compare_trainee,
    trend_mm_per_month,
)
from napari_microus.core.compare.trainee_page import write_trainee_page
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Notice
from napari_microus.core.io import write_mask
from napari_microus.core.volume import Volume


def finish(work, events=None):
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            return stop.value
        if events is not None:
            events.append(event)


def disc(radius, frames=2):
    y, x = np.indices((60, 60))
    return np.repeat((np.hypot(y - 30, x - 30) < radius)[None], frames, 0)


def write(path, mask):
    path.parent.mkdir(exist_ok=True)
    write_mask(Volume.from_spacing(mask.astype(np.uint8), (1, 0.5, 0.5)), path)


@pytest.fixture
def folders(tmp_path):
    """A trainee who draws 4, 3 and 2 pixels too large, a month after another."""
    for number, radius in enumerate((24, 23, 22), start=1):
        write(tmp_path / "gold" / f"gold_{number}.nii.gz", disc(20))
        path = tmp_path / "student" / f"student_{number}.nii.gz"
        write(path, disc(radius))
        then = date(2026, number, 10)
        seconds = (then - date(1970, 1, 1)).days * 86400
        os.utime(path, (seconds, seconds))
    return tmp_path / "gold", tmp_path / "student"


def test_bias_and_trend_are_told_in_mm(folders):
    cases = finish(compare_trainee(*folders))
    assert [case.day for case in cases] == [date(2026, n, 10) for n in (1, 2, 3)]
    assert bias_mm(cases) == pytest.approx(3 * 0.5, abs=0.1)
    # Half a millimetre less each month, give or take pixels.
    assert trend_mm_per_month(cases) == pytest.approx(-0.5, abs=0.1)
    assert cases[0].totals.mean_signed_mm > cases[2].totals.mean_signed_mm > 0


def test_dates_in_names_count_before_the_files_own(tmp_path):
    for number, day in ((1, "2026-03-04"), (2, "20251231"), (3, "20269999")):
        write(tmp_path / "gold" / f"g_{number}.nii.gz", disc(20))
        write(tmp_path / "s" / f"s_{day}-case_{number}.nii.gz", disc(21))
    days = {
        c.name: c.day
        for c in finish(compare_trainee(tmp_path / "gold", tmp_path / "s"))
    }
    assert days["1"] == date(2026, 3, 4)
    assert days["2"] == date(2025, 12, 31)


def test_files_without_a_partner_and_other_grids_are_noticed(folders):
    gold, student = folders
    write(gold / "gold_7.nii.gz", disc(20))
    write(gold / "gold_8.nii.gz", disc(20, frames=4))
    write(student / "student_8.nii.gz", disc(20))
    events = []
    cases = finish(compare_trainee(gold, student), events)
    said = " ".join(e.message for e in events if isinstance(e, Notice))
    assert len(cases) == 3
    assert "gold_7.nii.gz: no file for 7" in said
    assert "Case 8 is left out" in said


def test_one_day_has_no_trend(folders):
    cases = finish(compare_trainee(*folders))[:1]
    assert math.isnan(trend_mm_per_month(cases))


def test_no_common_case_is_refused(folders, tmp_path):
    write(tmp_path / "other" / "x_99.nii.gz", disc(20))
    with pytest.raises(InputError, match="at least one case in both folders"):
        finish(compare_trainee(folders[0], tmp_path / "other"))


def test_the_page_holds_plots_pictures_and_numbers(folders, tmp_path):
    cases = finish(compare_trainee(*folders))
    page = tmp_path / "report.html"
    write_trainee_page(cases, page, trainee="A <b> & co")
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 5  # bias, trend, three frames
    assert "1.5" in text
    assert "larger than the reference on average" in text
    assert re.search(r"falls by 0\.(4[5-9]|5[0-5]) mm a month", text)
    assert "A &lt;b&gt; &amp; co" in text
    with pytest.raises(OutputError, match="must not exist yet"):
        write_trainee_page(cases, page)


def test_a_page_of_empty_masks_is_written(tmp_path):
    nothing = np.zeros((1, 20, 20), bool)
    write(tmp_path / "g" / "g_1.nii.gz", nothing)
    write(tmp_path / "s" / "s_1.nii.gz", nothing)
    cases = finish(compare_trainee(tmp_path / "g", tmp_path / "s"))
    write_trainee_page(cases, tmp_path / "r.html")
    assert "no frame was drawn by both" in (tmp_path / "r.html").read_text(
        encoding="utf-8"
    )
