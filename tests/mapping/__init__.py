"""Tests of `freezelint.mapping`, which `freezelint map` is made of."""
