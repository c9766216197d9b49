"""`--fix`: from findings to edits, each proven by looking again before it is kept."""
