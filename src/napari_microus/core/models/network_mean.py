"""Several networks of one input size that answer as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_microus.core.errors import InputError
from napari_microus.core.models.factory import logits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

# Log-odds of float32 probabilities end here.
_EPS = 1e-7


class NetworkMean(nn.Module):
    """The mean probability of its members, as log-odds.

    Parameters
    ----------
    members : sequence of Module
        Networks of `create_model`, such as the folds of a cross-validation.

    Attributes
    ----------
    config : Config
        That of the first member, which states the size of the input.

    Raises
    ------
    InputError
        If there is none, or they see inputs of several sizes or dimensions.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        configs: list[Any] = [member.config for member in members]
        seen = {(c.image_size, getattr(c, "spatial_dims", 2)) for c in configs}
        if len(seen) != 1:
            raise InputError(
                "The members of an ensemble must see inputs of one size; got "
                f"{sorted(seen) or 'none'}. Choose folds of one training."
            )
        self.members = nn.ModuleList(members)
        self.config = configs[0]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of the shape of ``x``, (B, 1, H, W)."""
        found = [torch.sigmoid(logits_of(member(x)).float()) for member in self.members]
        return torch.logit(torch.stack(found).mean(0), eps=_EPS)
