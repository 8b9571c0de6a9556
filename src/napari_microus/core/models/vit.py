"""The vision transformer over the encoder's features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from napari_microus.core.models.dropout import Dropout


class Attention(nn.Module):
    """Multi-head self-attention, named as in the published weights."""

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, hidden_size) to the same shape."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        if self.training and x.device.type == "cpu":
            # Its gradient comes three times as fast as the fused form's in bfloat16.
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
            mixed = self.dropout(scores.softmax(-1)) @ value
        else:
            rate = self.dropout.p if self.training else 0.0
            mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=rate)
        return self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))


class Perceptron(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, hidden_size: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden_size, mlp_dim)
        self.fc2 = nn.Linear(mlp_dim, hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, hidden_size) to the same shape."""
        return self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(x)))))


class TransformerLayer(nn.Module):
    """Attention and perceptron, each normalised first and added to its input."""

    def __init__(
        self,
        hidden_size: int,
        mlp_dim: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.ffn_norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.ffn = Perceptron(hidden_size, mlp_dim, dropout)
        # The published code drops attention's output at the attention's own rate.
        self.attn = Attention(hidden_size, heads, attention_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, hidden_size) to the same shape."""
        x = x + self.attn(self.attention_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class Encoder(nn.Module):
    """A stack of transformer layers with a last normalisation."""

    def __init__(
        self,
        hidden_size: int,
        mlp_dim: int,
        heads: int,
        layers: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.layer = nn.ModuleList(
            TransformerLayer(hidden_size, mlp_dim, heads, dropout, attention_dropout)
            for _ in range(layers)
        )
        self.encoder_norm = nn.LayerNorm(hidden_size, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, hidden_size) to the same shape."""
        for layer in self.layer:
            x = layer(x)
        return self.encoder_norm(x)
