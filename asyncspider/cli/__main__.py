"""``python -m asyncspider.cli`` is the command ``asyncspider``."""

from __future__ import annotations

from . import main

main()
