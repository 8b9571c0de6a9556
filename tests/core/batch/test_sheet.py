from html.parser import HTMLParser

import numpy as np
from PIL import Image

from napari_microus.core.batch.measuring import COLUMNS
from napari_microus.core.batch.picture import HEIGHT, WIDTH, write_picture
from napari_microus.core.batch.places import picture_path
from napari_microus.core.batch.sheet import write_sheet
from napari_microus.core.volume import Volume


def test_the_picture_shows_the_contour_of_the_largest_frame(tmp_path):
    array = np.zeros((3, 60, 40), np.uint8)
    array[1] = 200
    array[1, :, :20] = 100
    mask = np.zeros_like(array)
    mask[0, 5:8, 5:8] = 1
    mask[1, 12:48, 8:32] = 1
    scan = Volume.from_spacing(array, (1.0, 0.5, 1.0))  # 30 mm high, 40 mm wide

    write_picture(tmp_path / "p.jpg", scan, scan.like(mask))

    with Image.open(tmp_path / "p.jpg") as picture:
        pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (270, 360, 3)
    yellow = (pixels[..., 0] - pixels[..., 2]) > 90  # #f0e442
    rows, columns = np.flatnonzero(yellow.any(1)), np.flatnonzero(yellow.any(0))
    # 12 of 60 rows is a fifth of the height, 8 of 40 columns of the width
    assert abs(rows[[0, -1]] - [54, 215]).max() <= 2
    assert abs(columns[[0, -1]] - [72, 287]).max() <= 2
    assert not yellow[100:170, 120:240].any()


def test_a_wide_and_a_high_scan_fit(tmp_path):
    for shape in ((1, 4, 900), (1, 900, 4), (1, 1, 1)):
        scan = Volume.from_spacing(np.ones(shape, np.float32), (1.0, 1.0, 1.0))
        write_picture(tmp_path / "p.jpg", scan, scan.like(np.zeros(shape, np.uint8)))
        with Image.open(tmp_path / "p.jpg") as picture:
            width, height = picture.size
        assert 0 < width <= WIDTH
        assert 0 < height <= HEIGHT


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag not in ("br", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_names_each_scan_and_why_it_failed(tmp_path):
    nothing = dict.fromkeys(COLUMNS, "")
    done = nothing | {
        **{"scan": "a/b #1", "source": "a/b #1.nii", "status": "done"},
        **{"frames": "4", "frames_with_capsule": "2", "largest_area_px": "20"},
        **{"largest_area_frame": "2", "no_volume_because": "No volume: no size."},
        "mean_confidence": "0,7",  # as a spreadsheet may have written it
    }
    failed = nothing | {
        **{"scan": "<c>", "source": "<c>.nii", "status": "failed"},
        "reason": "A scan must be whole; got <half>.",
    }
    picture = picture_path(tmp_path, "a/b #1")
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"")

    page = Page(write_sheet(tmp_path, [done, failed]).read_text(encoding="utf-8"))

    assert page.open == []
    assert page.images == ["contact_sheet_files/a/b%20%231.jpg"]
    for words in (
        *("Research use only", "2 scans", "1 with a mask. 1 failed"),
        *("a/b #1.nii", "capsule in 2 of 4 frames", "No volume: no size."),
        *("largest area 20 px in frame 2", "<c>.nii", "got <half>."),
    ):
        assert words in page.text
    assert "mm²" not in page.text
