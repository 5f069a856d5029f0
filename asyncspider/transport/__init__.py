"""How bytes travel: shared HTTP sessions, retry, limits, telemetry. For drivers' authors."""
