"""`freezelint map`: what of a model is frozen and what trains, told of sources, runs and names.

No torch here.
"""
