"""Run `daas-hub init` as its own program, from this checkout: `python -m tests.commands.init.run DIRECTORY`."""

import sys

import conftest  # noqa: F401  # the top-level folders are rooms of daas_hub
from daas_hub.commands.main import main

sys.exit(main(["init", *sys.argv[1:]]))
