"""Pages decoded while the garbage collector waits."""

from __future__ import annotations

import gc
import threading
from typing import Any

import msgspec
import pytest

from asyncspider.transport.decoding import decode


def seen_by(body: bytes, seen: list[bool]) -> Any:
    def hook(kind: type, value: Any) -> Any:
        seen.append(gc.isenabled())
        return value

    decoder = msgspec.json.Decoder(list[complex], dec_hook=hook)
    return decode(decoder, body)


def test_the_collector_waits_and_goes_on() -> None:
    seen: list[bool] = []
    with pytest.raises(msgspec.ValidationError):  # a hook must return what was asked for
        seen_by(b'["x"]', seen)
    assert seen == [False]
    assert gc.isenabled()


def test_who_has_it_switched_off_keeps_it_off() -> None:
    gc.disable()
    try:
        assert decode(msgspec.json.Decoder(), b"[1]") == [1]
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_in_many_threads_at_once() -> None:
    body = msgspec.json.encode([[number] for number in range(2000)])
    decoder = msgspec.json.Decoder()

    def work() -> None:
        for _ in range(50):
            decode(decoder, body)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()
