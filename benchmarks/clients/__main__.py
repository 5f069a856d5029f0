"""Run one client: ``python -m benchmarks.clients aws_boto3``, with the job on standard input."""

from __future__ import annotations

import importlib
import json
import sys

from .measure import Job, Meter

if __name__ == "__main__":
    _, name = sys.argv
    job = Job(**json.load(sys.stdin))
    meter = Meter(job)
    client = importlib.import_module(f"benchmarks.clients.{name}")
    meter.start()
    client.scan(job, meter)
