"""What the losses on two annotators' masks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from napari_microus.core.losses.annotation import in_full_precision, read_annotation

if TYPE_CHECKING:
    from napari_microus.core.losses.annotation import Annotation


class AnnotationLoss(nn.Module, ABC):
    """A loss of a network's logits by the masks of one or two annotators.

    Attributes
    ----------
    channels : tuple of int
        How many logits a pixel may have.
    refuses_raw : bool
        Whether masks on a CPU that hold 0 and 255 and no 1 are refused: as a rule
        they are pictures, whose 255 would be ignored. Training switches it off: its
        masks were read as such, and all that was drawn in a batch may be undecided.
    """

    channels: ClassVar[tuple[int, ...]] = (1,)
    refuses_raw: bool = True

    def forward(
        self, logits: Tensor, expert: Tensor, nonexpert: Tensor | None = None
    ) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor, shape (B, C, H, W) or (B, C, D, H, W)
            Raw network output, C one of ``channels``; half precision is computed in
            float32.
        expert, nonexpert : Tensor, shape (B, 1, H, W) or (B, 1, D, H, W)
            Masks of 0 and 1; a pixel that is 255 in either counts nowhere. No
            non-expert mask means that the second annotator agrees everywhere.

        Returns
        -------
        Tensor, shape ()
            Zero if no pixel counts.

        Raises
        ------
        InputError
            If the shapes do not fit each other, or see ``refuses_raw``.
        """
        annotation = read_annotation(
            logits,
            expert,
            nonexpert,
            channels=self.channels,
            refuse_raw=self.refuses_raw,
        )
        return self.loss(in_full_precision(logits), annotation)

    @abstractmethod
    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of logits in full precision."""
