"""Tests of `freezelint.freezing`."""
