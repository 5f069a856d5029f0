"""Steps that say what they do, and fail by name."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

TAIL = 25
"""Lines of a log that a failure shows."""


class StepError(Exception):
    """A step of bringing the sandbox up failed.

    Args:
        step: Its name.
        reason: Why.
        log: Its log file, whose end is shown; None = there is none.
    """

    def __init__(self, step: str, reason: str, log: Path | None = None) -> None:
        super().__init__(f"step {step!r} failed: {reason}")
        self.step = step
        self.log = log

    def report(self) -> str:
        """Return the whole story: step, reason, end of the log."""
        lines = [str(self)]
        if self.log is not None and self.log.exists():
            tail = self.log.read_text(errors="replace").splitlines()[-TAIL:]
            lines += [f"--- end of {self.log}", *tail]
        return "\n".join(lines)


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time a step; an unexpected error gets its name."""
    began = time.monotonic()
    try:
        yield
    except StepError:
        raise
    except Exception as error:
        raise StepError(name, f"{type(error).__name__}: {error}") from error
    say(f"{time.monotonic() - began:6.1f} s  {name}")


def together(*jobs: Callable[[], None]) -> None:
    """Run jobs side by side; raises what the first that failed raised."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()


def until(
    name: str,
    look: Callable[[], bool],
    *,
    seconds: float,
    log: Path | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Look again and again until it is so.

    Raises:
        StepError: It took too long, or who should make it so has ended.
    """
    end = time.monotonic() + seconds
    while not look():
        if not alive():
            raise StepError(name, "the process ended", log)
        if time.monotonic() > end:
            raise StepError(name, f"not done within {seconds:g} s", log)
        time.sleep(0.2)
