"""The source reader: what a training script would do, told from its text. Imports no torch and runs
nothing.
"""
