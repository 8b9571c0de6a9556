"""A small TransUNet as training leaves one, without the training."""

import torch

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.models.transunet import TransUNet


def trained_transunet(**changes) -> TransUNet:
    """A network whose batch normalisation has statistics, and whose logits differ."""
    torch.manual_seed(0)
    model = TransUNet(TransUNetConfig.small(image_size=64, **changes))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(model.segmentation_head[0].weight, std=0.2)
    return model.eval()
