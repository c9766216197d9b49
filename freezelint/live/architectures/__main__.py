"""`python -m freezelint.live.architectures [library ...]` writes the knowledge base anew."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click

from freezelint.source import architectures

_LIBRARIES = ("torchvision", "timm", "transformers")


@click.command()
@click.argument("libraries", nargs=-1, type=click.Choice(_LIBRARIES))
@click.option("--into", type=click.Path(path_type=Path), help="Folder to write to, instead of the package.")
def main(libraries: tuple[str, ...], into: Path | None) -> None:
    """Build the architectures of LIBRARIES (all by default) and write the files of the knowledge base."""
    folder = into or Path(architectures.__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    chosen = libraries or _LIBRARIES
    with ProcessPoolExecutor(len(chosen)) as pool:
        for line in pool.map(_build, chosen, [folder] * len(chosen)):
            print(line, file=sys.stderr)


def _build(name: str, folder: Path) -> str:
    logging.disable(logging.WARNING)
    os.environ["HF_HUB_OFFLINE"] = "1"  # constructors may ask for the weights of a backbone
    started = time.monotonic()
    builder = importlib.import_module(f"freezelint.live.architectures.{name}_models")
    library, names = builder.build()
    path = library.write(folder, names)
    return f"{path}: {path.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s"


if __name__ == "__main__":
    main()
