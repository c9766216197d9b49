"""What is watched: one watcher a subject, each replacing what it needs of torch and writing events down."""
