"""`python -m implicitpad`: the same as the `implicitpad` command."""

from implicitpad.cli import main

main(prog_name="implicitpad")
