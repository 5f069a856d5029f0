"""Tests; a package, so that theirs may be named as the clouds are."""
