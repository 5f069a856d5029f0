"""Tests of speed that count instead of measuring time."""
