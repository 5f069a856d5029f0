"""Speed and memory, side by side with what else there is. See README.md."""
