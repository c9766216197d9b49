"""Does it matter? A small transfer with each of eight faults planted, and again after `freezelint --fix`."""
