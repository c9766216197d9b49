"""Where freezelint plugs into other tools. Each module imports its framework when it is imported itself."""
