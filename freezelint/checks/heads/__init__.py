"""Heads, learning rates and the order of unfreezing."""
