"""What CI uses of this repository: hooks for pre-commit, a GitHub Action, what the README says of them."""
