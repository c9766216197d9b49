"""Tests of `freezelint plan`."""
