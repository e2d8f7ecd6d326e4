"""The settings of directories, checked: where the data are, and how a session sees them. No disk is read."""

from __future__ import annotations

import re
from pathlib import Path

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.launch import MountPolicy
from daas_hub.launch.mounts import FIELDS


class MountRules(Configurable):
    """Where the facility's directories are, and how a session sees them."""

    data = List(
        Unicode(),
        config=True,
        help="""
        Templates of the raw data's directories, mounted read-only as ~/data. Used where the proposal provider does not
        say the paths itself. Fields: {proposal} {visit} {beamline} {account} {uid}.
        Example: ["/data/visitor/{proposal}/{beamline}/{visit}"]. Default: none. Since 0.1.
        """,
    )
    data_roots = List(
        Unicode(),
        config=True,
        help="""
        Absolute directories below which raw data may lie. A path outside, or one of them itself, is refused.
        Example: ["/data/visitor"]. Default: the fixed part of each template in `data`. Since 0.1.
        """,
    )
    processed = Unicode(
        config=True,
        help="""
        Template of the directory all members of a proposal share, mounted writable as ~/processed. It is created with
        the proposal's group and mode 2770 when missing. Example: "/data/processed/{proposal}".
        Default: "processed/{proposal}" below Facility.state. Since 0.1.
        """,
    )
    home = Unicode(
        config=True,
        help="""
        Template of a person's private home; created with mode 0700 when missing. Example: "/home/{account}".
        Default: "homes/{account}" below Facility.state. Since 0.1.
        """,
    )

    def policy(self, state_dir: str) -> MountPolicy:
        """Give the rules as a launch takes them.

        Args:
            state_dir: `Facility.state`: where the portal keeps what the facility has no place for.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        _require_absolute("Facility.state", state_dir)
        state = Path(state_dir)
        policy = MountPolicy(
            data=tuple(self.data),
            data_roots=tuple(self.data_roots),
            processed=self.processed or str(state / "processed" / "{proposal}"),
            home=self.home or str(state / "homes" / "{account}"),
        )
        named = [("MountRules.data", path) for path in policy.data]
        named += [("MountRules.processed", policy.processed), ("MountRules.home", policy.home)]
        for setting, path in named:
            _require_template(setting, path)
        for path in policy.data:
            if "{proposal}" not in path:
                raise ConfigurationError(
                    "MountRules.data",
                    path,
                    "would show a session the data of other proposals",
                    remedy="Add {proposal}.",
                )
        for root in policy.data_roots:
            _require_root(root)
        if "{account}" not in policy.home and "{uid}" not in policy.home:
            raise ConfigurationError(
                "MountRules.home", policy.home, "every person needs a home of their own", remedy="Add {account}."
            )
        if "{proposal}" not in policy.processed:
            raise ConfigurationError(
                "MountRules.processed", policy.processed, "would be shared by all proposals", remedy="Add {proposal}."
            )
        return policy


def _require_absolute(setting: str, path: str) -> None:
    if not path.startswith("/") or ".." in Path(path).parts:
        raise ConfigurationError(
            setting, path, "is not an absolute path without '..'", remedy="Write it from the root: /data/{proposal}."
        )


def _require_template(setting: str, path: str) -> None:
    _require_absolute(setting, path)
    plain = re.sub("|".join(rf"\{{{name}\}}" for name in FIELDS), "x", path)
    # what is left is no field as `launch/mounts.py` fills it in: {proposal!r} and {{proposal}} are none either
    if "{" in plain or "}" in plain:
        raise ConfigurationError(
            setting, path, "has a field nobody knows", remedy="Known: " + ", ".join(f"{{{name}}}" for name in FIELDS)
        )


def _require_root(path: str) -> None:
    _require_absolute("MountRules.data_roots", path)
    if Path(path) == Path("/") or "{" in path or "}" in path:
        raise ConfigurationError(
            "MountRules.data_roots",
            path,
            "is not one directory of the facility's storage",
            remedy="Name the directory all raw data lie below, without fields: /data/visitor.",
        )
