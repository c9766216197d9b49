"""Rules about gradients: computed for nothing, or cut off."""
