"""Emulators as child processes that can't outlive their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread

from asyncspider import DeadlineExceededError, UnavailableError


class LocalServer:
    """A Python module that runs as a server on a free port of 127.0.0.1, in its own process.

    The child writes its address as the first line of its standard output, and ends when its
    standard input does: so it is gone even when this process is killed. A context manager;
    leaving it stops the child.

    Args:
        module: What to run, as in ``python -m module``.
        arguments: Its arguments.
        environment: More variables for it.
    """

    def __init__(
        self, module: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> None:
        self.module = module
        self.url = ""
        self._last_words = ""
        self._argv = [sys.executable, "-m", module, *arguments]
        self._environment = os.environ | (environment or {})

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=self._environment,
            # Ctrl-C in a terminal reaches every process of the group; this one is ours to end.
            start_new_session=True,
        )
        return self

    async def ready(self, deadline: float = 60.0) -> str:
        """Wait until the server listens, and return its address.

        Args:
            deadline: Longest wait, in seconds.

        Raises:
            UnavailableError: It ended instead; the message has its last words.
            DeadlineExceededError: It took too long.
        """
        assert self._process.stdout is not None
        try:
            with anyio.fail_after(deadline):
                line = await to_thread.run_sync(
                    self._process.stdout.readline, abandon_on_cancel=True
                )
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"{self.module} did not listen within {deadline:g} s"
            ) from error
        if not line:
            self.stop()
            raise UnavailableError(f"{self.module} did not start: {self._last_words}")
        self.url = line.decode().strip()
        return self.url

    def stop(self) -> None:
        """End the child and wait until it is gone. Safe to call again."""
        process = self._process
        if process.stdin is None or process.stdin.closed:
            return
        process.stdin.close()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._last_words = lines[-1] if lines else f"exit code {process.returncode}"
        self._errors.close()
        assert process.stdout is not None
        process.stdout.close()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def serve_until_orphaned(url: str) -> None:
    """Say where this server listens, then return when the parent has closed our input.

    The child's half of `LocalServer`; the server itself runs in another thread.
    """
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    gone = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        gone.set()

    threading.Thread(target=watch, daemon=True).start()
    gone.wait()
