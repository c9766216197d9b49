"""`python -m freezelint.live.architectures [library ...]` writes the knowledge base anew."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from pathlib import Path

import click

from freezelint.source import architectures

_LIBRARIES = ("torchvision", "timm", "transformers")


@click.command()
@click.argument("libraries", nargs=-1, type=click.Choice(_LIBRARIES))
@click.option("--into", type=click.Path(path_type=Path), help="Folder to write to, instead of the package.")
def main(libraries: tuple[str, ...], into: Path | None) -> None:
    """Build the architectures of LIBRARIES (all by default) and write the files of the knowledge base."""
    logging.disable(logging.WARNING)
    folder = into or Path(architectures.__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    for name in libraries or _LIBRARIES:
        started = time.monotonic()
        builder = importlib.import_module(f"freezelint.live.architectures.{name}_models")
        library, names = builder.build(_progress)
        path = library.write(folder, names)
        print(f"\r{path}: {path.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s", file=sys.stderr)


def _progress(name: str) -> None:
    print(f"\r{name:60}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
