"""What a page says, and what it must not."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from napari_microus.core.case import USE, open_case, read_case, save_case
from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.measure import measure
from napari_microus.core.report import (
    words,
    write_case_report,
    write_report,
    writing_report,
)
from napari_microus.core.report.key_frames import key_frames
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume

MADE = {
    "model": "microus-small",
    "model_version": "3",
    "weights_sha256": "ab12" * 16,
    "date": "2026-01-02T03:04:05+00:00",
    "package": "napari-microus 1.0",
    "confidence": {"frames": {"1": 0.97, "2": 0.7, "3": 0.95}, "look_first": [2]},
}


class Page(HTMLParser):
    """Text, pictures and tags of a page."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.images, self.open = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "img":
            self.images.append(dict(attributes))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag  # every tag is closed, in its order

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def scan():
    array = np.random.default_rng(4).integers(0, 255, (5, 60, 80), np.uint8)
    return Volume.from_spacing(array, (2.0, 0.5, 0.4))


@pytest.fixture(scope="module")
def mask(scan):
    """Frames 1, 2 and 3 hold 20 × 25, 30 × 25 and 10 × 25 pixels of 0.2 mm²."""
    array = np.zeros(scan.shape, np.uint8)
    for frame, rows in ((1, 20), (2, 30), (3, 10)):
        array[frame, 10 : 10 + rows, 20:45] = 1
    return scan.like(array)


def report(tmp_path, scan, mask, *, code="P-7", made=MADE, **given):
    measured = measure(
        mask,
        provenance=made,
        **{k: given.pop(k) for k in list(given) if k not in ("note", "notices")},
    )
    path = write_report(
        tmp_path / "report.html", scan, mask, measured, code=code, provenance=made
    )
    return Page(path), path


@pytest.fixture(scope="module")
def whole(tmp_path_factory, scan, mask):
    """A page with everything on it, and its file."""
    return report(
        tmp_path_factory.mktemp("whole"),
        scan,
        mask,
        psa_ng_ml=6.0,
        diameters_mm=(50, 40, 30),
        review=Review(5, {3}, {1}, [2]),
    )


@pytest.fixture
def page(whole):
    return whole[0]


def test_a_page_states_the_numbers_with_their_methods(page):
    # (500 + 750 + 250) pixels of 0.2 mm² and 2 mm; the largest frame 150 mm²
    assert "Volume 0.600 mL Planimetry of parallel frames" in page.text
    assert "Largest area 1.50 cm² frame 2, 10.0 × 15.0 mm wide and high" in page.text
    assert "PSA density 10.00 ng/mL per mL, of a PSA of 6 ng/mL" in page.text
    assert "diameters as given 31.4 mL – 0.19" in page.text  # 0.524 · 60; 6 / 31.44
    # 25 × 0.4, 30 × 0.5 and three frames of 2 mm
    assert "estimated from the mask 0.472 mL" in page.text  # 0.524 · 10 · 15 · 6
    assert "Diameters as given: 50.0 × 40.0 × 30.0 mm." in page.text
    assert "10.0 × 15.0 × 6.0 mm along columns and rows of frame 2" in page.text
    assert "No interval: the model's probability is not at hand." in page.text
    assert "Changed by hand 1 (3) Approved 1 (1) Left empty 2 (0, 4)" in page.text


def test_a_page_reveals_who_drew_from_what_and_for_what_use(page):
    assert "Outline by model microus-small, version 3 (weights ab12ab12ab12…)" in (
        page.text
    )
    assert "Drawn on 2026-01-02 03:04 UTC" in page.text
    assert "Outlined frames 3 of 5 (1–3)" in page.text
    assert "Pixel size 0.5 × 0.4 mm" in page.text
    assert "Distance of frames 2 mm" in page.text
    assert page.text.count(USE) == 2
    assert "not for clinical decisions" in USE
    assert "Case P-7" in page.text
    assert re.search(r"Made with napari-microus \S+\.", page.text)


def test_the_interval_is_reported_with_its_formula(tmp_path, scan, mask):
    probability = np.where(mask.array > 0, 0.9, 0.0)
    probability[:, 10:20, 45:47] = 0.5  # 20 pixels between 0.2 and 0.8

    page, _ = report(tmp_path, scan, mask, probability=probability)

    # 1.96 · 20 / 1.6832 · 0.2 mm² in each of three frames of 2 mm: 0.028 mL
    assert "95 % interval 0.572 to 0.628 mL" in page.text
    assert "(area at a probability of 0.2 − area at 0.8) / 1.683" in page.text


def test_four_frames_stand_for_all(mask):
    chosen = key_frames(measure(mask, provenance=MADE))
    assert [(key.size.frame, key.title) for key in chosen] == [
        (2, "Largest area, model least certain"),
        (1, "First with an outline"),
        (3, "Last with an outline"),
    ]


def test_pictures_have_words_and_hold_no_text(page):
    assert len(page.images) == 4  # three frames and the chart
    for image in page.images:
        assert len(image["alt"]) > 40
        kind, data = image["src"].split(";base64,")
        content = base64.b64decode(data)
        if kind == "data:image/png":
            with Image.open(io.BytesIO(content)) as picture:
                assert not picture.info.keys() - {"transparency", "gamma", "dpi"}
                assert min(picture.size) > 300
        else:
            assert kind == "data:image/svg+xml"
            assert b"<dc:date>" not in content


def outline_box(image):
    """Rows and columns, as shares of the picture, that the outline's colour spans."""
    data = base64.b64decode(image["src"].split(";base64,")[1])
    with Image.open(io.BytesIO(data)) as picture:
        rgb = np.asarray(picture.convert("RGB")).astype(int)
    rows, columns = np.nonzero(rgb[..., 0] - rgb[..., 2] > 100)
    height, width = rgb.shape[:2]
    return (
        rows.min() / height,
        rows.max() / height,
        columns.min() / width,
        (columns.max() / width),
        width / height,
    )


def test_the_outline_lies_where_the_mask_does_in_true_shape(page):
    top, bottom, left, right, aspect = outline_box(page.images[0])
    # 30 of 60 rows from row 10, 25 of 80 columns from column 20
    assert (top, bottom) == pytest.approx((10 / 60, 40 / 60), abs=0.012)
    assert (left, right) == pytest.approx((20 / 80, 45 / 80), abs=0.012)
    assert aspect == pytest.approx(80 * 0.4 / (60 * 0.5), rel=0.01)


def test_a_page_needs_nothing_beside_it_and_is_light(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (40, 500, 500), np.uint8)
    scan = Volume.from_spacing(array, (1, 0.1, 0.1))
    inside = np.zeros(array.shape, np.uint8)
    inside[2:-2, 100:400, 100:400] = 1
    inside[20, 90:410, 90:410] = 1
    made = {"confidence": {"frames": {"9": 0.5}}}

    page, path = report(tmp_path, scan, scan.like(inside), made=made)

    assert len(page.images) == 5
    assert path.stat().st_size < 2_000_000  # of noise, which packs worst
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert "http" not in re.sub("http-equiv", "", path.read_text(encoding="utf-8"))


def test_a_page_can_be_read_aloud(page):
    assert ("html", {"lang": "en"}) in page.tags
    heads = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert heads[0] == "h1"
    assert set(heads[1:]) == {"h2"}
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert not page.open


def contrast(one, other):
    """Contrast of two colours by WCAG 2.1, 1.4.3."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        parts = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_letters_stand_out(whole):
    style = whole[1].read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", style))

    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for name in ("ink", "soft", "mark"):
        for ground in ("#ffffff", colours["tint"]):
            assert contrast(colours[name], ground) >= 4.5
    assert contrast("#6b2f0c", "#fdf3ec") >= 4.5


def test_words_of_a_person_are_no_code(tmp_path, scan, mask):
    bad = '<img src=x onerror="alert(1)">'
    made = {**MADE, "model": bad, "date": bad}
    measured = measure(mask, provenance=made)
    path = write_report(
        tmp_path / "report.html",
        scan,
        mask,
        measured,
        code=bad,
        provenance=made,
        note=f"one\n{bad}",
        notices=[bad],
    )
    page = Page(path)

    assert "<img src=x" not in path.read_text(encoding="utf-8")
    assert page.text.count(bad) == 5
    assert len(page.images) == 4


def test_nothing_is_in_mm_without_a_size(tmp_path, scan, mask):
    unsized = Volume(scan.array, has_geometry=False)
    page, _ = report(tmp_path, unsized, unsized.like(mask.array), psa_ng_ml=4.0)

    assert "Largest area 750 pixels frame 2, 25 × 30 pixels" in page.text
    assert "Volume – No volume: the scan states no pixel size." in page.text
    assert "Pixel size unknown: areas are in pixels" in page.text
    assert not re.search(r"\d (mm|cm²|mL)\b", page.text)


def test_a_sweep_is_reported(tmp_path, scan, mask):
    sweep = Sweep("rotational", "columns", -9.5, (-40, -20, 0, 20, 40))
    metadata = {"sweep": sweep.to_dict(), "frame_distance": "unknown"}
    turned = Volume(scan.array, scan.affine, True, metadata)

    page, _ = report(tmp_path, turned, turned.like(mask.array))

    assert "rotational, −40° to 40°; horizontal axis 9.5 mm above the first row" in (
        page.text
    )
    assert "Sectors of a rotational sweep (Pappus)" in page.text
    assert "Distance of frames" not in page.text


def test_an_empty_capsule_has_a_page(tmp_path, scan, mask):
    page, _ = report(tmp_path, scan, scan.like(mask.array * 0), made={})
    assert page.images == []
    assert "No frame has an outline." in page.text
    assert "Outline by not stated" in page.text


def test_odd_pixels_do_not_stop_a_page(tmp_path, mask):
    array = np.full(mask.shape, np.nan, np.float32)
    array[2] = 7.0
    scan = Volume(array, mask.affine)
    page, _ = report(tmp_path, scan, scan.like(mask.array))
    assert len(page.images) == 4


def test_a_report_is_not_replaced_unasked(tmp_path, scan, mask):
    path = tmp_path / "r.html"
    path.write_text("theirs")
    measured = measure(mask)

    with pytest.raises(OutputError, match="already exists"):
        write_report(path, scan, mask, measured, code="Q")
    assert path.read_text(encoding="utf-8") == "theirs"
    write_report(path, scan, mask, measured, code="Q", overwrite=True)
    assert "Case Q" in Page(path).text


def test_a_report_of_another_mask_is_refused(tmp_path, scan, mask):
    fewer = Volume(mask.array[:4], mask.affine)
    with pytest.raises(InputError, match="must be of one scan"):
        write_report(tmp_path / "r.html", scan, mask, measure(fewer), code="Q")
    assert not (tmp_path / "r.html").exists()


def test_a_report_that_is_cancelled_leaves_nothing(tmp_path, scan, mask):
    work = writing_report(tmp_path / "r.html", scan, mask, measure(mask), code="Q")
    next(work)
    work.close()
    assert list(tmp_path.iterdir()) == []


def test_the_report_of_a_case(tmp_path, scan, mask, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    save_case(tmp_path / "case", scan, mask, code="P-7", provenance=MADE, note="Twice.")

    path = write_case_report(tmp_path / "r.html", open_case(tmp_path / "case"))

    page = Page(path)
    assert "Case P-7" in page.text
    assert "Note Twice." in page.text
    assert "microus-small" in page.text
    with pytest.raises(InputError, match="must show its scan"):
        write_case_report(tmp_path / "s.html", read_case(tmp_path / "case"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (6.3, "6.30"), (23.61, "23.6"), (0.0245, "0.0245"), (1234.5, "1,234")],
)
def test_numbers_have_three_digits_that_count(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("frames", "text"),
    [([], "none"), ([3], "3"), ([0, 1, 2, 5], "0–2, 5"), ([5, 4], "4–5")],
)
def test_frames_are_listed_in_ranges(frames, text):
    assert words.frame_list(frames) == text
