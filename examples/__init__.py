"""Examples: single files, run from the root of the project with `python -m examples.NAME`."""
