"""Many scans at once: masks, measurements, a contact sheet, and what failed."""

from napari_microus.core.batch.finding import find_scans
from napari_microus.core.batch.run import BatchResult, run_batch
from napari_microus.core.batch.scan import Scan
from napari_microus.core.batch.settings import BatchSettings, batch_settings

__all__ = [
    "BatchResult",
    "BatchSettings",
    "Scan",
    "batch_settings",
    "find_scans",
    "run_batch",
]
