"""Follow real frames at 30 Hz for minutes: memory must stay, and every frame count.

Usage: ``python tests/reliability/live_soak.py [--minutes 10] [--hz 30] [--size Y X]``.
Needs the bundled model. A server in a process of its own sends the sample's ten
frames, resized where asked. Prints JSON: frames a second, latency, memory after the
first fifth and at the end. Exit status 1 where memory grew by more than 20 MiB or
frames are missing from the count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from openigtlink_server import Server, image, send_at

MOST_MIB = 20.0


def serve(port, hz, size, seconds):
    from napari_microus.core import samples

    frames = samples.read_sweep().scan.array
    if size:
        rows = np.arange(size[0]) * frames.shape[1] // size[0]
        columns = np.arange(size[1]) * frames.shape[2] // size[1]
        frames = frames[:, rows][:, :, columns]
    messages = [image(np.ascontiguousarray(frame)) for frame in frames]
    many = (messages[k % len(messages)] for k in range(int(seconds * hz)))
    server = Server(send_at(many, hz))
    port.send(server.port)
    time.sleep(seconds + 5)
    server.close()


def rss_mib():
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--hz", type=float, default=30)
    parser.add_argument("--size", type=int, nargs=2)
    chosen = parser.parse_args()
    from napari_microus.core.library import load_model
    from napari_microus.core.live import LiveFrame, StreamSource, follow

    seconds = 60 * chosen.minutes
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=serve, args=(theirs, chosen.hz, chosen.size, seconds)
    )
    process.start()
    work = follow(load_model(), StreamSource("127.0.0.1", ours.recv()))
    began = time.monotonic()
    memory, latencies, last = [], [], None
    for event in work:
        now = time.monotonic() - began
        if isinstance(event, LiveFrame):
            last = event
            latencies.append(event.latency_s)
            if now > seconds / 5 and len(latencies) % 10 == 0:
                memory.append(rss_mib())
        if now > seconds:
            break
    work.close()
    process.terminate()
    process.join()
    third = max(1, len(memory) // 3)
    growth = float(np.median(memory[-third:]) - np.median(memory[:third]))
    counted = last.number + last.dropped + last.refused
    stated = {
        "minutes": chosen.minutes,
        "shape": last.frame.shape,
        "answered_per_s": round(last.number / seconds, 1),
        "received": last.received,
        "dropped": last.dropped,
        "latency_ms": {
            name: round(1e3 * float(np.quantile(latencies, q)))
            for name, q in (("median", 0.5), ("p95", 0.95))
        },
        "memory_mib": round(memory[-1]),
        "growth_mib": round(growth, 1),
        "all_counted": counted == last.received,
    }
    print(json.dumps(stated))
    return int(growth > MOST_MIB or counted != last.received)


if __name__ == "__main__":
    sys.exit(main())
