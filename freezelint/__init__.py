"""freezelint finds, explains and mends parameter-freezing bugs in PyTorch transfer learning."""

__version__ = "0.1.0"
