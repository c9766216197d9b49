"""Which files are read, and what is remembered of them: discovery, notebooks, projects, cache, processes."""
