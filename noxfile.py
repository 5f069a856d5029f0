"""Checks and tests: ``nox`` runs them all; it needs neither root nor a cloud."""

from __future__ import annotations

import nox

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "pyright", "tests", "tested"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False  # a missing one is skipped, and said so
nox.options.download_python = "never"

PROJECT = nox.project.load_toml("pyproject.toml")
tested_with: list[str] = []


def install(session: nox.Session, *groups: str) -> None:
    """Install the project as it is here, and the packages of some dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes and unformatted code."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def pyright(session: nox.Session) -> None:
    """Check the types: strict for asyncspider, standard for the rest."""
    install(session, "pyright")
    session.run("pyright", "--pythonpath", f"{session.bin}/python")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after ``--`` are pytest's.

    The first Python runs all of them; the others leave out those that mostly wait for a server.
    """
    install(session, "test")
    chosen = ("-m", "not long") if tested_with else ()
    tested_with.append(str(session.python))
    session.run("pytest", *chosen, *session.posargs)


@nox.session(default=False)
def openstack(session: nox.Session) -> None:
    """Start a real OpenStack, run its tests and stop it. Needs Debian, and root at first.

    Arguments after ``--`` are pytest's. A sandbox that ran before is stopped and forgotten.
    """
    install(session, "test")
    sandbox = ("python", "-m", "tests.openstack_sandbox")
    session.run(*sandbox, "down", "--purge")
    try:
        session.run(*sandbox, "up")
        session.run("pytest", *(session.posargs or ("tests/openstack_live", "--durations=5")))
    finally:
        session.run(*sandbox, "down", "--purge")


@nox.session(python=False, default=False)
def tested(session: nox.Session) -> None:
    """Fail when no Python was there to run the tests."""
    if not tested_with:
        session.error(f"no tests were run: none of Python {', '.join(PYTHONS)} was found")
    session.log(f"tests were run with Python {', '.join(tested_with)}")


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Run the benchmarks against rivals; arguments after ``--`` as ``python -m benchmarks run``."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", "run", *session.posargs)


@nox.session(default=False)
def bench_quick(session: nox.Session) -> None:
    """Run the same in under two minutes, on less."""
    install(session, "bench")
    quick = ("--vms", "300", "--rounds", "1", "--no-extras")
    session.run("python", "-m", "benchmarks", "run", *quick, *session.posargs)
