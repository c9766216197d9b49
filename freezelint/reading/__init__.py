"""Reading what the source around a statement says. Used by both witnesses; imports no torch."""
