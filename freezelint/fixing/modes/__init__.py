"""What mends say in code to keep modules in eval mode: where, on which of them, and in whose words."""
