"""From a scan to a capsule mask and its probability, on the scan's own grid."""

from napari_microus.core.predict.result import Prediction
from napari_microus.core.predict.run import predict

__all__ = ["Prediction", "predict"]
