import math
import os
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from PIL import Image
from scipy.stats import linregress
from scipy.stats import t as student

from napari_microus.core.compare.frames import FrameAgreement
from napari_microus.core.compare.trainee import bias, compare_trainee
from napari_microus.core.compare.trainee_page import write_trainee_page
from napari_microus.core.compare.trainee_repeats import within_observer
from napari_microus.core.compare.trainee_trend import trend
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Notice, drain
from napari_microus.core.io import write_mask
from napari_microus.core.volume import Volume


def disc(radius, frames=2):
    y, x = np.indices((60, 60))
    return np.repeat((np.hypot(y - 30, x - 30) < radius)[None], frames, 0)


def write(path, mask):
    path.parent.mkdir(exist_ok=True)
    write_mask(Volume.from_spacing(mask.astype(np.uint8), (1, 0.5, 0.5)), path)


def picture(path, mask):
    """A mask in a format that states no pixel size."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(mask[0].astype(np.uint8) * 255).save(path)


def dated(path, day):
    seconds = (day - date(1970, 1, 1)).days * 86400
    os.utime(path, (seconds, seconds))


def draw(folder, radii, months=None):
    """A trainee's cases against discs of 20 pixels, a month after another."""
    for number, radius in enumerate(radii, start=1):
        write(folder / "gold" / f"gold_{number}.nii.gz", disc(20))
        path = folder / "student" / f"student_{number}.nii.gz"
        write(path, disc(radius))
        dated(path, date(2026, (months or range(1, 13))[number - 1], 10))
    return folder / "gold", folder / "student"


def page_of(cases, tmp_path):
    write_trainee_page(cases, tmp_path / "page.html", overwrite=True)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    # Without the pictures.
    return re.sub(r'src="data:[^"]*"', "", text)


@pytest.fixture
def folders(tmp_path):
    """A trainee who draws 6, 5 ... 1 pixels too large, a month after another."""
    return draw(tmp_path, (26, 25, 24, 23, 22, 21))


def test_bias_and_trend_are_reported_in_mm(folders):
    cases = drain(compare_trainee(*folders))
    assert [case.day for case in cases] == [date(2026, n, 10) for n in range(1, 7)]
    found = bias(cases)
    assert found.mean == pytest.approx(3.5 * 0.5, abs=0.1)
    assert found.patients == 6
    # Half a millimetre less each month, give or take pixels.
    slope = trend(cases)
    assert slope.per_month == pytest.approx(-0.5, abs=0.1)
    assert slope.is_clear
    assert cases[0].totals.mean_signed_mm > cases[2].totals.mean_signed_mm > 0


def test_the_trend_is_the_line_of_scipy(folders):
    cases = drain(compare_trainee(*folders))
    found = trend(cases)
    line = linregress(
        [case.day.toordinal() for case in cases],
        [case.totals.mean_assd_mm for case in cases],
    )
    month = 365.25 / 12
    assert found.per_month == pytest.approx(line.slope * month)
    reach = student.ppf(0.975, 4) * line.stderr * month
    assert found.high - found.per_month == pytest.approx(reach)
    assert found.per_month - found.low == pytest.approx(reach)


def test_cases_of_one_day_are_one_point(folders):
    cases = drain(compare_trainee(*folders))
    twice = [*cases, *cases]
    assert trend(twice) == trend(cases)


def test_four_days_have_no_trend(tmp_path):
    cases = drain(compare_trainee(*draw(tmp_path, (25, 24, 23, 22))))
    assert trend(cases) is None
    assert "There is work on 4 days; a trend needs 5 or more." in page_of(
        cases, tmp_path
    )


def test_a_trend_that_may_be_none_is_called_so(tmp_path):
    cases = drain(compare_trainee(*draw(tmp_path, (23, 24, 22, 24, 23, 23))))
    found = trend(cases)
    assert found.low < 0 < found.high
    text = page_of(cases, tmp_path)
    assert "No clear trend over 6 days of work" in text
    assert "falls by" not in text
    assert "grows by" not in text


def test_a_bias_that_may_be_none_is_called_so(tmp_path):
    cases = drain(compare_trainee(*draw(tmp_path, (21, 19, 21, 19, 20, 20))))
    assert "neither clearly larger nor clearly smaller" in page_of(cases, tmp_path)


def test_pictures_without_a_size_are_reported_in_pixels(tmp_path):
    for number in (1, 2):
        picture(tmp_path / "gold" / f"g_{number}.png", disc(20))
        picture(tmp_path / "student" / f"s_{number}.png", disc(23))
    cases = drain(compare_trainee(tmp_path / "gold", tmp_path / "student"))
    assert not any(case.has_geometry for case in cases)
    text = page_of(cases, tmp_path)
    assert "state no pixel size" in text
    assert re.search(r"draws (2\.9|3\.0|3\.1)\d px larger", text)
    assert "px² disputed" in text
    assert "Surface Dice (1 px)" in text
    assert not re.search(r"\bmm|mL|cm", text)


def test_cases_with_and_without_a_size_are_reported_apart(folders, tmp_path):
    gold, student = folders
    picture(gold / "gold_7.png", disc(20))
    picture(student / "student_7.png", disc(29))
    cases = drain(compare_trainee(gold, student))
    text = page_of(cases, tmp_path)
    assert "6 cases with a pixel size and 1 case without one" in text
    sized, unsized = text.split("Cases without a pixel size")
    # The picture's 9 pixels are in no mean of mm.
    end = "larger than the reference on average over"
    assert re.search(rf"draws 1\.[67]\d mm {end} 6 cases of 6 patients", sized)
    assert re.search(rf"draws [89]\.\d\d px {end} 1 case of 1 patient", unsized)
    assert " px" not in sized.split("averaged nowhere")[1]
    assert "mL" not in unsized.split("Frames are counted from 0")[0]


def test_frames_are_counted_from_0(tmp_path):
    wide = disc(20, frames=3)
    wide[1] = disc(26, frames=1)[0]
    write(tmp_path / "gold" / "g_1.nii.gz", disc(20, frames=3))
    write(tmp_path / "s" / "s_1.nii.gz", wide)
    cases = drain(compare_trainee(tmp_path / "gold", tmp_path / "s"))
    assert cases[0].worst.frame == 1
    text = page_of(cases, tmp_path)
    assert "Case 1, frame 1:" in text
    assert "frame 2" not in text


def test_controls_are_reported_apart(folders, tmp_path):
    gold, student = folders
    (gold / "controls.txt").write_text("1  # easy\n\ngold_02.nii.gz\n99\n")
    events = []
    cases = drain(compare_trainee(gold, student), events.append)
    assert [case.name for case in cases if case.is_control] == ["1", "2"]
    said = [event.message for event in events if isinstance(event, Notice)]
    assert said == ["Control case 99 is not among the compared cases."]
    text = page_of(cases, tmp_path)
    # Controls are drawn 6 and 5 pixels too large, the others 4, 3, 2 and 1.
    [controls] = re.findall(r"<td>controls</td>(.*?)</tr>", text)
    [others] = re.findall(r"<td>other cases</td>(.*?)</tr>", text)
    numbers = [float(x) for x in re.findall(r"<td>([-+.\d]+)</td>", controls)]
    assert numbers[:2] == [2, 2]
    assert numbers[-1] == pytest.approx(5.5 * 0.5, abs=0.15)
    numbers = [float(x) for x in re.findall(r"<td>([-+.\d]+)</td>", others)]
    assert numbers[:2] == [4, 4]
    assert numbers[-1] == pytest.approx(2.5 * 0.5, abs=0.15)
    assert "1 (control)" in text


def test_a_list_of_controls_can_lie_elsewhere(folders, tmp_path):
    listed = tmp_path / "known.txt"
    listed.write_text("3\n")
    cases = drain(compare_trainee(*folders, controls=listed))
    assert [case.name for case in cases if case.is_control] == ["3"]
    with pytest.raises(InputError, match="must be a text file"):
        drain(compare_trainee(*folders, controls=tmp_path / "missing.txt"))


def test_a_report_without_controls_and_repeats_has_no_such_part(folders, tmp_path):
    text = page_of(drain(compare_trainee(*folders)), tmp_path)
    assert "Control cases" not in text
    assert "Repeated drawings" not in text


def test_a_repeat_is_compared_with_the_first_drawing(folders, tmp_path):
    gold, student = folders
    write(student / "student_1_repeat.nii.gz", disc(24))
    write(student / "student_2-Repeat.nii.gz", disc(25))
    write(student / "student_77_repeat.nii.gz", disc(25))
    events = []
    cases = drain(compare_trainee(gold, student), events.append)
    assert len(cases) == 6
    said = [event.message for event in events if isinstance(event, Notice)]
    assert said == [
        "student_77_repeat.nii.gz: no compared case 77 that it could repeat."
    ]
    assert [bool(case.repeat) for case in cases] == [True, True, *[False] * 4]
    found = within_observer([case.repeat for case in cases])
    assert (found.cases, found.frames) == (2, 4)
    first, second = disc(26)[0], disc(24)[0]
    dice = 2 * second.sum() / (first.sum() + second.sum())
    assert found.dice == pytest.approx((dice + 1) / 2)
    # Case 2 was drawn alike, so that its differences are 0.
    difference = (int(first.sum()) - int(second.sum())) * 0.25
    assert found.sd_area_mm2 == pytest.approx(math.sqrt(difference**2 / 2 / 2))
    assert found.assd_mm == pytest.approx(2 * 0.5 / 2, abs=0.05)
    text = page_of(cases, tmp_path)
    assert "drew 2 cases twice" in text
    assert f"{found.sd_area_mm2:.1f} mm² (4 frames)" in text


def test_within_observer_sd_is_that_of_pairs():
    # The SD of two values is |d| / √2; variances of the frames are averaged.
    rows = [
        FrameAgreement(0, 1, 0, 0, first, second, 0, 0)
        for first, second in ((10, 12), (20, 17), (30, 30))
    ]
    found = within_observer([rows[:2], rows[2:], []])
    pairs = np.array([(10, 12), (20, 17), (30, 30)])
    expected = math.sqrt(pairs.var(axis=1, ddof=1).mean())
    assert found.sd_area_mm2 == pytest.approx(expected)
    assert found.repeatability_mm2 == pytest.approx(2.77 * expected, rel=1e-3)
    assert within_observer([[], []]) is None


def test_a_repeat_that_does_not_fit_is_noticed(folders):
    gold, student = folders
    write(student / "student_1_repeat.nii.gz", disc(24, frames=3))
    write(student / "student_2_repeat.nii.gz", disc(24))
    write(student / "again_2_repeat.nii.gz", disc(24))
    events = []
    cases = drain(compare_trainee(gold, student), events.append)
    said = " ".join(e.message for e in events if isinstance(e, Notice))
    assert "The repeat of case 1 is left out." in said
    assert "several repeats of case 2; keep one." in said
    assert not any(case.repeat for case in cases)


def test_scans_of_a_patient_count_as_one(tmp_path):
    for name in ("1", "1_1", "2"):
        write(tmp_path / "gold" / f"g_{name}.nii.gz", disc(20))
        write(tmp_path / "s" / f"s_{name}.nii.gz", disc(22))
    cases = drain(compare_trainee(tmp_path / "gold", tmp_path / "s"))
    assert [case.patient for case in cases] == ["1", "1", "2"]
    assert bias(cases).patients == 2
    text = page_of(cases, tmp_path)
    assert "over 3 cases of 2 patients" in text
    assert "2 patients, no interval: it needs 5" in text
    assert "limits of agreement need 5 patients" in text
    cases = drain(
        compare_trainee(tmp_path / "gold", tmp_path / "s", patient_pattern="^(g)")
    )
    assert bias(cases).patients == 1


def test_limits_of_agreement_are_reported_and_drawn(folders, tmp_path):
    cases = drain(compare_trainee(*folders))
    text = page_of(cases, tmp_path)
    areas = [(disc(26 - n)[0].sum() - disc(20)[0].sum()) * 0.25 for n in range(6)]
    assert f"differs by {np.mean(areas):+.1f} mm²" in text
    assert "over 12 frames of 6 patients" in text
    # Both frames of a patient are alike: the limits are those of six patients.
    upper = np.mean(areas) + 1.96 * np.std(areas, ddof=1)
    assert f"{upper:+.1f} mm² (95 % interval" in text
    assert "Agreement of volumes" in text
    assert "mL (95 % interval" in text


def test_no_volume_without_a_distance_between_frames(folders, tmp_path):
    cases = drain(compare_trainee(*folders))
    unknown = [replace(case, knows_frame_distance=False) for case in cases]
    text = page_of(unknown, tmp_path)
    assert "mL" not in text
    assert "Agreement of areas" in text
    text = page_of([*cases[1:], unknown[0]], tmp_path)
    assert "Left out: 1 case without a known distance between frames." in text


def test_dates_in_names_count_before_the_files_own(tmp_path):
    for number, day in ((1, "2026-03-04"), (2, "20251231"), (3, "20269999")):
        write(tmp_path / "gold" / f"g_{number}.nii.gz", disc(20))
        write(tmp_path / "s" / f"s_{day}-case_{number}.nii.gz", disc(21))
    days = {
        c.name: c.day for c in drain(compare_trainee(tmp_path / "gold", tmp_path / "s"))
    }
    assert days["1"] == date(2026, 3, 4)
    assert days["2"] == date(2025, 12, 31)


def test_files_without_a_partner_and_other_grids_are_noticed(folders):
    gold, student = folders
    write(gold / "gold_7.nii.gz", disc(20))
    write(gold / "gold_8.nii.gz", disc(20, frames=4))
    write(student / "student_8.nii.gz", disc(20))
    events = []
    cases = drain(compare_trainee(gold, student), events.append)
    said = " ".join(e.message for e in events if isinstance(e, Notice))
    assert len(cases) == 6
    assert "gold_7.nii.gz: no file for 7" in said
    assert "Case 8 is left out" in said


def test_no_common_case_is_refused(folders, tmp_path):
    write(tmp_path / "other" / "x_99.nii.gz", disc(20))
    with pytest.raises(InputError, match="at least one case in both folders"):
        drain(compare_trainee(folders[0], tmp_path / "other"))


def test_the_page_holds_plots_pictures_and_numbers(folders, tmp_path):
    cases = drain(compare_trainee(*folders))
    page = tmp_path / "report.html"
    write_trainee_page(cases, page, trainee="A <b> & co")
    text = page.read_text(encoding="utf-8")
    # Bias, areas, volumes, trend, and six frames.
    assert text.count("data:image/png;base64,") == 10
    assert "1.7" in text
    assert "larger than the reference on average" in text
    assert re.search(r"falls by 0\.(4[5-9]|5[0-5]) mm a month \(95 % interval", text)
    assert "A &lt;b&gt; &amp; co" in text
    with pytest.raises(OutputError, match="already exists"):
        write_trainee_page(cases, page)


def test_a_page_of_empty_masks_is_written(tmp_path):
    nothing = np.zeros((1, 20, 20), bool)
    write(tmp_path / "g" / "g_1.nii.gz", nothing)
    write(tmp_path / "s" / "s_1.nii.gz", nothing)
    cases = drain(compare_trainee(tmp_path / "g", tmp_path / "s"))
    write_trainee_page(cases, tmp_path / "r.html")
    assert "no frame was drawn by both" in (tmp_path / "r.html").read_text(
        encoding="utf-8"
    )
