"""A server that misbehaves in every way: one readable line, the right exit code, no traceback."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from .conftest import Here

SECRET = "s3cr3t-s3cr3t-s3cr3t"
SCAN = (
    *("scan", "--driver", "aws", "--regions", "us-east-1", "--resource", "vm"),
    *("--credential", "aws_access_key_id=AKIAEXAMPLE", "--credential"),
    *("aws_secret_access_key=env:MY_SECRET", "--request-timeout", "2", "--deadline", "6"),
)
FAULT = (
    '<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>{code}</Code>'
    "<Message>{message}</Message></Error></Errors><RequestID>req-1</RequestID></Response>"
)

Behaviour = Callable[[socket.socket], None]


def answers(status: str, body: str, kind: str = "text/xml") -> Behaviour:
    """Return a server that gives every request the same answer."""

    def behave(connection: socket.socket) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n{body}".encode())

    return behave


def fault(status: str, code: str, message: str) -> Behaviour:
    """Return a server that answers with an error of EC2's form."""
    return answers(status, FAULT.format(code=code, message=message))


def hangs(connection: socket.socket) -> None:
    """Say nothing until the client gives up."""
    while connection.recv(65536):
        pass


def resets(connection: socket.socket) -> None:
    """Cut the line."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half(connection: socket.socket) -> None:
    """Promise more than there is."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5000\r\n\r\n"
    connection.sendall(f"{head}<DescribeRegionsResponse><regionInfo><item>".encode())


CASES: dict[str, tuple[Behaviour, str, str]] = {
    "hangs": (hangs, "timeout", ""),
    "resets": (resets, "unreachable", ""),
    "half an answer": (half, "unreachable", ""),
    "half a document": (
        answers("200 OK", "<DescribeRegionsResponse><regionInfo><item>"),
        "failed",
        "",
    ),
    "html": (answers("200 OK", "<html><body>Welcome!</body></html>", "text/html"), "failed", ""),
    "html 404": (answers("404 Not Found", "<html>Not here</html>", "text/html"), "", "404"),
    "html 502": (
        answers("502 Bad Gateway", "<html>Oops</html>", "text/html"),
        "unreachable",
        "502",
    ),
    "nothing": (answers("200 OK", ""), "failed", ""),
    "throttles": (
        fault("503 Service Unavailable", "RequestLimitExceeded", "Request limit exceeded."),
        "",
        "",
    ),
    "denies": (
        fault("403 Forbidden", "UnauthorizedOperation", "You are not authorized."),
        "denied",
        "(UnauthorizedOperation)",
    ),
    "does not know us": (
        fault("401 Unauthorized", "AuthFailure", "AWS was not able to validate you."),
        "denied",
        "(AuthFailure)",
    ),
    "expired": (
        fault("400 Bad Request", "RequestExpired", "Request has expired."),
        "denied",
        "(RequestExpired)",
    ),
    "quotes the secret": (
        fault("403 Forbidden", "SignatureDoesNotMatch", f"wrong: {SECRET}"),
        "denied",
        "wrong: ***",
    ),
}


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], str]]:
    """Start a server that behaves as told."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def start(behaviour: Behaviour) -> str:
        def talk(connection: socket.socket) -> None:
            with closing(connection):
                if connection.recv(65536):
                    behaviour(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=talk, args=(connection,)))
                threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(30)


@pytest.mark.parametrize("name", CASES)
def test_bad_server_is_one_line(
    name: str, here: Here, serve: Callable[[Behaviour], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour, status, told = CASES[name]
    monkeypatch.setenv("MY_SECRET", SECRET)
    code, out, errors = here(*SCAN, "--endpoint-url", serve(behaviour))
    assert code == 1, errors
    assert out == ""
    [line] = [line for line in errors.splitlines() if line.startswith("asyncspider: ")]
    assert line.startswith(f"asyncspider: aws: {status}")
    assert told in line
    assert "Traceback" not in errors
    assert SECRET not in errors
