"""Runs the command line as ``python -m matexapps.cli``."""

from matexapps.cli import main

main()
