from napari_microus.core.train.estimate import estimate


def test_more_epochs_take_longer_and_larger_batches_more_memory(tiny):
    short = estimate(tiny(epochs=1), frames=100)
    long = estimate(tiny(epochs=100_000, batch_size=32), frames=10_000)
    assert 0 < short.seconds < long.seconds
    assert short.memory_mib < long.memory_mib
    assert short.advice == ""
    assert "hours on this processor" in long.advice
