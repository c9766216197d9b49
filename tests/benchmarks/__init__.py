"""Measurements, run by hand: the cost of observation, the start of the tool, the size of a fake audit."""
