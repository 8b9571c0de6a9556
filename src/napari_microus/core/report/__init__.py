"""One page for one case: pictures, measurements, who drew what, and its limits."""

from napari_microus.core.report.writing import (
    write_case_report,
    write_report,
    writing_report,
)

__all__ = ["write_case_report", "write_report", "writing_report"]
