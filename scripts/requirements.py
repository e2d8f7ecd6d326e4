"""Print the requirements of setup.cfg: always the base, then each extra that is named. Used by the Makefile."""

import configparser
import sys


def main(extras: list[str]) -> None:
    """Print one requirement a line."""
    parser = configparser.ConfigParser()
    parser.read("setup.cfg")
    lines = [*parser["options"]["install_requires"].split("\n"), "setuptools >=77", "wheel"]
    for extra in extras:
        lines += parser["options.extras_require"][extra].split("\n")
    print("\n".join(line for line in lines if line.strip()))


main(sys.argv[1:])
