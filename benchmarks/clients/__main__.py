"""Run one client: ``python -m benchmarks.clients aws_boto3 '{"url": …}'``."""

from __future__ import annotations

import importlib
import json
import sys

from .measure import Job, Meter

if __name__ == "__main__":
    _, name, text = sys.argv
    job = Job(**json.loads(text))
    meter = Meter(job)
    client = importlib.import_module(f"benchmarks.clients.{name}")
    meter.start()
    client.scan(job, meter)
