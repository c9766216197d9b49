"""Mends for the rules of this family."""
