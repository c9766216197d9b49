"""Reading the user's source and running frames: where a statement is, what it says, what is still ahead."""
