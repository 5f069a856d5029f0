"""The demo: emulated clouds on this machine, filled and scanned."""
