"""Measure training: frames a second, and what fine-tuning brings in minutes.

::

    python benchmarks/training.py speed
    python benchmarks/training.py fine-tune
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Read by PyTorch when it is imported, which the functions below do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def speed(model: str, device: str, batch_size: int, steps: int) -> dict[str, Any]:
    """Return augmented samples and whole training steps in frames a second."""
    import numpy as np
    import torch

    from napari_microus.core.train import TrainConfig
    from napari_microus.core.train.frames import FrameCache
    from napari_microus.core.train.learner import create_learner
    from napari_microus.core.train.memory import memory_mib
    from napari_microus.core.train.processes import create_fabric
    from napari_microus.core.train.sampler import Sampler
    from napari_microus.core.train.start import start_network
    from napari_microus.core.train.step import make_batch, make_step
    from napari_microus.core.train.training_data import TrainingData

    config = TrainConfig.preset(
        "demo", model=model, device=device, batch_size=batch_size
    )
    size = config.model.image_size
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 255, (256, size, size), dtype=np.uint8)
    mask = (frames > 180).astype(np.uint8)
    cache = FrameCache(frames, mask, mask, np.zeros(256, np.int64), ["noise"])
    fabric = create_fabric(config)
    network, config = start_network(config)
    learner = create_learner(config, fabric, network, TrainingData(cache, []))
    sampler = Sampler(256, batch_size, 0)
    order = sampler.order(0)
    network.train()

    def timed(work: Any) -> float:
        for warm in range(2):
            work(*sampler.share(order, 0, warm))
        began = time.perf_counter()
        for step in range(steps):
            work(*sampler.share(order, 0, step % sampler.batches))
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        return steps * batch_size / (time.perf_counter() - began)

    augmented = timed(lambda indices, keys: make_batch(learner, indices, keys))
    trained = timed(
        lambda indices, keys: make_step(learner, indices, keys, 0, lambda _: None)
    )
    return {
        "model": model,
        "device": str(fabric.device),
        "threads": torch.get_num_threads(),
        "batch_size": batch_size,
        "augmented_samples_per_s": round(augmented, 1),
        "trained_frames_per_s": round(trained, 1),
        "peak_memory_mib": round(memory_mib(fabric.device)),
    }


def fine_tune(cases: int, held_out: int, minutes: float) -> dict[str, Any]:
    """Return DSC before and after fine-tuning on phantoms of a foreign style.

    The style lies outside the domain of the bundled model's phantoms: a gland much
    brighter than its surroundings, hardly any capsule, coarse speckle. The patients
    measured are neither trained on nor validated on.
    """
    import numpy as np

    from napari_microus.core.library import load_model
    from napari_microus.core.phantom import make_phantom, typical_domain
    from napari_microus.core.study import Study
    from napari_microus.core.train import TrainConfig, train
    from napari_microus.core.train.training_data import ValidationCase
    from napari_microus.core.train.validate import score_case

    def foreign(seed: int) -> Any:
        domain = dataclasses.replace(
            typical_domain(np.random.default_rng(seed)),
            gland_db=9.0,
            fat_db=-3.0,
            capsule_db=0.0,
            halo_db=0.0,
            lateral_mm=1.0,
            gamma=1.0,
        )
        return make_phantom(
            seed, frames=8, shape=(240, 343), domain=domain, annotator_style="hasty"
        )

    with TemporaryDirectory() as folder:
        study = Study.create(Path(folder) / "study")
        for number in range(cases):
            case = foreign(50_000 + number)
            masks = case.expert, case.nonexpert
            study.add_case(f"case{number}", f"p{number}", case.scan, *masks)
        config = TrainConfig.preset(
            "fine-tune",
            output=str(Path(folder) / "run"),
            data={"study": str(study.folder), "cache": str(Path(folder) / "cache")},
            time_limit_s=60 * minutes,
            to_library=False,
        )
        began = time.perf_counter()
        work = train(config)
        while True:
            try:
                event = next(work)
            except StopIteration as stop:
                result = stop.value
                break
            if type(event).__name__ in ("EpochReport", "Notice"):
                print(event, flush=True)
        seconds = time.perf_counter() - began
        tuned = load_model(result.run / "model").network
    start = load_model(config.start).network

    def measure(network: Any) -> list[float]:
        import torch

        found = []
        for number in range(held_out):
            case = foreign(60_000 + number)
            masks = case.scan, case.expert, case.nonexpert
            scan = ValidationCase(str(number), str(number), lambda masks=masks: masks)
            with torch.no_grad():
                score = score_case(
                    network,
                    lambda *_: torch.zeros(()),
                    scan,
                    size=224,
                    device=torch.device("cpu"),
                    frames=None,
                    batch_size=8,
                    cancelled=lambda: False,
                )
            found.append(score.dice)
        return found

    before, after = measure(start), measure(tuned)
    return {
        "training_cases": cases,
        "held_out_cases": held_out,
        "minutes": round(seconds / 60, 2),
        "dice_before": round(float(np.mean(before)), 4),
        "dice_after": round(float(np.mean(after)), 4),
        "cases_improved": sum(a > b for a, b in zip(after, before, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "fine-tune"))
    parser.add_argument("--model", default="small", choices=("small", "base"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--held-out", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=4.0)
    given = parser.parse_args()
    if given.what == "speed":
        found = speed(given.model, given.device, given.batch_size, given.steps)
    else:
        found = fine_tune(given.cases, given.held_out, given.minutes)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
