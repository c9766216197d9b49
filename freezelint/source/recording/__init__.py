"""What a run establishes: events, steps, and what the words of the source claim, as a trace."""
