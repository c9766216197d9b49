"""What torch does: modules and their calls, tensors and gradients, optimizers, schedules, trainers."""
