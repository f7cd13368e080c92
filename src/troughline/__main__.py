"""`python -m troughline` runs the command line."""

from troughline.cli import main

main()
