"""What optimizers hold."""
