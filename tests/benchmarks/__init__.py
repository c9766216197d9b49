"""Measurements, run by hand: what observation costs, how fast the tool starts, how large a model it audits."""
