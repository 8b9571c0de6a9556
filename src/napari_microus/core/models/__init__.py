"""Networks that segment the prostate capsule."""

from napari_microus.core.models.factory import create_model, logits_of

__all__ = ["create_model", "logits_of"]
