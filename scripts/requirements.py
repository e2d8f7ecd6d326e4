"""Print the requirements of setup.cfg: always the base, then each extra that is named. Used by make and install.sh."""

import configparser
import sys


def main(extras: list[str]) -> None:
    """Print one requirement a line."""
    parser = configparser.ConfigParser()
    parser.read("setup.cfg")
    known = parser["options.extras_require"]
    unknown = [extra for extra in extras if extra not in known]
    if unknown:
        raise SystemExit(f"no such extra: {', '.join(unknown)}; there are {', '.join(known)}")
    lines = [*parser["options"]["install_requires"].split("\n"), "setuptools >=77", "wheel"]
    for extra in extras:
        lines += known[extra].split("\n")
    print("\n".join(line for line in lines if line.strip()))


main(sys.argv[1:])
