"""The live witness: watches one real training step. Together with `freezing/` the only part that imports
torch.
"""
