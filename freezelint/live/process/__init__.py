"""The process that runs the user's code, and the one that watches over it."""
