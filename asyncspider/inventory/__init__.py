"""Records to files and back."""

from __future__ import annotations

from .jsonl import JsonLinesWriter, decode_json, encode_jsonl, read_jsonl

__all__ = ["JsonLinesWriter", "decode_json", "encode_jsonl", "read_jsonl"]
