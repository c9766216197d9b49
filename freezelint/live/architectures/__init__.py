"""Makes the source reader's knowledge base from the installed libraries.

`python -m freezelint.live.architectures` builds every known architecture on the meta device (no memory, no
weights, no network), runs one training step of each there, and writes what it saw beside the loader,
`freezelint.source.architectures`. The same versions of the libraries give the same bytes.
"""
