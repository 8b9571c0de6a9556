"""End a process when the one that started it has gone.

A child that hears of its parent through a pipe alone finds out when it next reads or
writes; until then it may wait for a file of a network drive, or segment for minutes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

_LOOK_S = 0.5


def end_with_parent() -> None:
    """End this process soon after its parent has gone, whatever it is doing then.

    For processes that `multiprocessing` started, and on POSIX for any other.
    """
    parent = multiprocessing.parent_process()
    if parent is None and os.name == "nt":
        return  # nothing signals it; its next line into the closed pipe ends it
    number = os.getppid() if parent is None else parent.pid

    def watch() -> None:
        while parent is None or parent.is_alive():
            # A process that another one of the parent's children keeps company may
            # still look alive: its end of the pipe is open there.
            if os.name != "nt" and os.getppid() != number:
                break
            if parent is None:
                time.sleep(_LOOK_S)
            else:
                parent.join(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
