"""`python -m cellspan.core.cli` is the `cellspan` command."""

from cellspan.core.cli import main

main(prog_name="cellspan")
