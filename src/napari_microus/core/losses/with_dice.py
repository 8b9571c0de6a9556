"""Any loss together with Dice."""

from __future__ import annotations

from torch import Tensor, nn

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses.annotation import in_full_precision, read_annotation

_SMOOTHING = 1e-5


class WithDice(nn.Module):
    """Add the Dice loss, taken on the expert's mask, to another criterion.

    Dice is one minus the coefficient of each sample, averaged over the batch, with
    MONAI's smoothing of 1e-5: its ``DiceLoss``, which ``torch.compile`` cannot take as
    one graph. Ignored pixels are background in both masks there,
    so they change nothing.

    Parameters
    ----------
    criterion : nn.Module
        Called as ``criterion(logits, expert, nonexpert)``.
    dice_weight : float
        Weight of Dice beside the criterion's 1.

    Raises
    ------
    ConfigError
        If ``dice_weight`` is negative.
    """

    def __init__(self, criterion: nn.Module, dice_weight: float = 1.0) -> None:
        super().__init__()
        if dice_weight < 0:
            raise ConfigError(
                f"dice_weight must not be negative; got {dice_weight}. Use 1."
            )
        self.criterion = criterion
        self.dice_weight = dice_weight

    def forward(
        self, logits: Tensor, expert: Tensor, nonexpert: Tensor | None = None
    ) -> Tensor:
        """Return the sum of both losses; shapes as in the criterion.

        Of two channels, Dice looks at the foreground's.
        """
        loss = self.criterion(logits, expert, nonexpert)
        annotation = read_annotation(logits, expert, nonexpert, channels=(1, 2))
        probability = in_full_precision(logits)[:, -1:].sigmoid()
        probability = (probability * annotation.counted).flatten(1)
        truth = annotation.foreground.to(probability).flatten(1)
        shared = (probability * truth).sum(1)
        total = probability.sum(1) + truth.sum(1)
        overlap = (2 * shared + _SMOOTHING) / (total + _SMOOTHING)
        return loss + self.dice_weight * (1 - overlap).mean()
