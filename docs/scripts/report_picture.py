"""Make docs/images/clinic_report.png: the report of a phantom, printed on two pages.

Usage: python docs/scripts/report_picture.py
Needs the bundled model, and chromium and pdftoppm on the path.
"""

import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from napari_microus.core import library
from napari_microus.core.edit.review import Review
from napari_microus.core.events import drain
from napari_microus.core.measure import measure
from napari_microus.core.phantom import make_phantom
from napari_microus.core.predict.confidence import to_provenance
from napari_microus.core.predict.run import predict
from napari_microus.core.provenance import segmentation_provenance
from napari_microus.core.report import write_report

TARGET = Path(__file__).parents[1] / "images" / "clinic_report.png"
FRAMES = 24


def write(path):
    scan = make_phantom(3, frames=FRAMES).scan
    model = library.load_model(library.DEFAULT_MODEL)
    found = drain(predict([model], scan))
    made = segmentation_provenance(
        [model], image="phantom", frames=None, device="auto", settings={}
    ) | {"confidence": to_provenance(found)}
    review = Review.from_provenance(FRAMES, made)
    review.edited |= {5, 6}
    review.approved |= set(range(7, 14))
    measured = measure(
        found.mask,
        provenance=made,
        review=review,
        probability=found.probability,
        psa_ng_ml=6.4,
        diameters_mm=(41, 40, 22),
    )
    note = "A phantom: no patient. The apex is hard to see in frames 2 and 3."
    write_report(
        path, scan, found.mask, measured, code="P-PHANTOM", provenance=made, note=note
    )


with tempfile.TemporaryDirectory() as temporary:
    folder = Path(temporary)
    write(folder / "report.html")
    browser = ["chromium", "--headless", "--no-sandbox", "--no-pdf-header-footer"]
    printed = f"--print-to-pdf={folder / 'report.pdf'}"
    subprocess.run(
        [*browser, printed, (folder / "report.html").as_uri()],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["pdftoppm", "-r", "75", "-png", folder / "report.pdf", folder / "page"],
        check=True,
    )
    pages = [Image.open(path) for path in sorted(folder.glob("page*.png"))]
    width = sum(page.width for page in pages) + 12 * (len(pages) - 1)
    sheet = Image.new("RGB", (width, pages[0].height), "#8a939b")
    left = 0
    for page in pages:
        sheet.paste(page, (left, 0))
        left += page.width + 12
    sheet.quantize(256, dither=Image.Dither.NONE).save(TARGET, optimize=True)
    print(TARGET, len(pages), "pages")
