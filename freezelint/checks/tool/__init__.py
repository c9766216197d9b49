"""What the tool has to say about its own work."""
