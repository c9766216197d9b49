"""`freezelint plan`: a training script for a published model, from its name alone, without torch."""
