"""The formats for machines."""
