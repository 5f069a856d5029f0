"""``asyncspider.toml``: what it can say, and what is told about what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncspider import InvalidRequestError, Limits, Record, Resource, ScopeReport
from asyncspider.cli.settings import read_settings
from asyncspider.inventory import read_jsonl

from .conftest import Cli, Here

FULL = """\
# comment
resources = ["vm", "key_pair"]
deadline = 60
output = "found.jsonl"

[limits]
total = 10
rate = 1000.0

[[target]]
name = "north"
driver = "mock"
regions = "all,!b"
credential = { regions = "a,b,c", vms = "2" }

[[target]]
name = "south"
driver = "mock"
regions = ["d*", "e"]
request_timeout = 5

[target.credential]
regions = "d1,d2,e,f"
vms = "env:HOW_MANY"
"""


def test_full_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "asyncspider.toml").write_text(FULL)
    done = cli("scan", HOW_MANY="3")
    assert done.returncode == 0, done.stderr
    outcomes = list(read_jsonl(tmp_path / "found.jsonl"))
    vms = [o.target for o in outcomes if isinstance(o, Record) and o.resource is Resource.VM]
    assert sorted(vms) == sorted(
        ["north/a", "north/c"] * 2 + ["south/d1", "south/d2", "south/e"] * 3
    )
    kinds = {o.resource for o in outcomes if isinstance(o, ScopeReport)}
    assert kinds == {Resource.VM, Resource.KEY_PAIR}


def test_options_win_over_the_file(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOW_MANY", "1")
    (tmp_path / "mine.toml").write_text(FULL)
    code, out, errors = here(
        *("scan", "-f", "mine.toml", "--target", "south", "-r", "image", "-o", "other.jsonl")
    )
    assert code == 0, errors
    assert "north" not in out
    assert {o.resource for o in read_jsonl(tmp_path / "other.jsonl")} == {Resource.IMAGE}
    assert not (tmp_path / "found.jsonl").exists()


def test_limits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('[limits]\nburst = 5\n[[target]]\ndriver = "mock"\n')
    assert read_settings(path).limits == Limits(burst=5)


def test_one_cloud_that_cannot_be_asked_costs_only_itself(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "asyncspider.toml").write_text(
        '[[target]]\ndriver = "mock"\nname = "up"\n'
        '[[target]]\ndriver = "mock"\nname = "down"\ncredential.dead = "*"\n'
    )
    done = cli("scan", "-o", "out.jsonl")
    assert done.returncode == 3
    outcomes = list(read_jsonl(tmp_path / "out.jsonl"))
    assert {o.target for o in outcomes if isinstance(o, ScopeReport) and not o.ok} == {"down"}
    assert sum(isinstance(o, Record) for o in outcomes) > 0


HEAD = '[[target]]\ndriver = "mock"\n'


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("colour = 1\n" + HEAD, 1, "unknown key 'colour'"),
        (
            HEAD + "\n# hm\nregoins = 'all'\n",
            5,
            "unknown key 'regoins' in [[target]]; did you mean 'regions'?",
        ),
        (HEAD * 2 + 'name = "b"\nx = """\na = 1\n"""\n', 6, "unknown key 'x' in [[target]]"),
        (
            HEAD + "[limits]\nrates = 3\n",
            4,
            "unknown key 'rates' in [limits]; did you mean 'rate'?",
        ),
        (
            HEAD + "[target.credential]\nvms = '1'\ncolour = 'red'\n",
            5,
            "unknown credential key 'colour'",
        ),
        (HEAD + "credential = { colour = 'red' }\n", 3, "unknown credential key 'colour'"),
        (
            HEAD + "[target.credential]\nseed = '1'\nvms = 3\n",
            5,
            "credential.vms: expected 'str', got 'int'",
        ),
        (HEAD + "[target.credential]\nvms = 'env:NOT_THERE'\n", 4, "no variable 'NOT_THERE'"),
        (HEAD + "[target.credential]\nvms = 'three'\n", 3, "credential key 'vms'"),
        (HEAD + "regions = 3\n", 3, "regions: expected 'str | array | null', got 'int'"),
        (HEAD + "request_timeout = 0\n", 3, "request_timeout must be more than 0"),
        (HEAD + "endpoint_url = 'example'\n", 3, "endpoint_url must look like"),
        (HEAD + "[limits]\ntotal = 0\n", 4, "limit total must be at least 1"),
        (HEAD + "[limits]\ntotal = 'many'\n", 4, "limits.total: expected 'int', got 'str'"),
        ("resources = ['vm', 'disk']\n" + HEAD, 1, "resources: invalid enum value 'disk'"),
        ("deadline = 'soon'\n" + HEAD, 1, "deadline: expected 'float | null', got 'str'"),
        ("\n[[target]]\nname = 'x'\n", 2, "[[target]] needs the key 'driver'"),
        ("[[target]]\ndriver = 'nope'\n", 2, "unknown driver 'nope'"),
        (HEAD * 2, 4, "two targets are named 'mock'; give one another name"),
        (HEAD + "regions = [\n", 4, ""),
        (HEAD + "driver = 'aws'\n", 3, ""),
        ("target = 3\n", 1, "target: expected 'array', got 'int'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, told: str
) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(InvalidRequestError) as caught:
        read_settings(path)
    assert caught.value.message.startswith(f"{path}, line {line}: "), caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"deadline = 3\n"])
def test_file_without_targets(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidRequestError, match=r"has no \[\[target\]\]|is not UTF-8"):
        read_settings(path)


def test_unknown_key_is_one_line_and_2(here: Here, tmp_path: Path) -> None:
    (tmp_path / "asyncspider.toml").write_text(HEAD + "regoins = 'all'\n")
    code, out, errors = here("scan")
    assert (code, out) == (2, "")
    assert errors == (
        "asyncspider: asyncspider.toml, line 3: unknown key 'regoins' in [[target]]; "
        "did you mean 'regions'?\n"
    )


def test_secrets_of_the_file_are_never_shown(here: Here, tmp_path: Path) -> None:
    (tmp_path / "asyncspider.toml").write_text(
        HEAD + "[target.credential]\nrequire_token = 'hunter2-hunter2'\nvms = 'three'\n"
    )
    code, out, errors = here("-vv", "scan")
    assert code == 2
    assert "hunter2" not in out + errors
