"""The corrections, one module a rule, named like it."""
