"""`python -m freezelint`."""

import sys

from freezelint.cli import main

if __name__ == "__main__":
    sys.exit(main())
