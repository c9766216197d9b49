"""Python itself: statements, expressions, calls and values, run on what is known."""
