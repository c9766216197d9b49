"""Tests of `freezelint.integrations`."""
