"""Settings of a TransUNet that is made, trained and run in no time."""

TINY = {
    "image_size": 32,
    "hidden_size": 16,
    "mlp_dim": 16,
    "num_heads": 2,
    "num_layers": 1,
    "in_channels": 1,
    "width": 4,
    "bottleneck_expansion": 1,
    "block_units": [1, 1, 1],
    "conv_more_channels": 16,
    "decoder_channels": [8, 8, 4, 4],
}
