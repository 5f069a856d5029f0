"""Google Cloud: Compute Engine."""
