"""Comments that say which findings are known and meant: `# noqa: FRZ101` and `# freezelint: ignore-file`."""
