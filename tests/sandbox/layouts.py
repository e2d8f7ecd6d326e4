"""The directories of one visit at four facilities, as their examples lay them out, on storage that squashes root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.launch import UNCHANGED, Mount, Plan
from tests.examples.site import FACILITIES, GID, UID, squashed_tree
from tests.stand_ins.squashing import require_fuse

#: target -> path; what is not data is writable.
LAYOUTS = {
    "esrf": {
        ".": "/home/anna",
        "data": "/data/visitor/ma4242/id21/20240501/RAW_DATA",
        "processed": "/data/visitor/ma4242/processed",
    },
    "desy": {
        ".": "/home/anna",
        "data/raw": "/asap3/petra3/gpfs/p11/2024/data/11001/raw",
        "data/more": "/asap3/petra3/gpfs/p11/2024/data/11001/scratch_cc",
        "processed": "/asap3/petra3/gpfs/p11/2024/data/11001/processed",
    },
    "alba": {
        ".": "/home/u20180001",
        "data": "/beamlines/bl11/projects/cycle2018-I/20180001-acamara",
        "processed": "/beamlines/bl11/projects/cycle2018-I/20180001-acamara/PROCESSED_DATA",
    },
    "diamond": {
        ".": "/home/anna",
        "data": "/dls/i03/data/2024/mx12345-7",
        "processed": "/dls/i03/data/2024/mx12345-7/processed",
    },
}

#: Says "ok" once for everything that must hold.
LOOK = """\
test "$(cat $(find ~/data -name scan_0001.h5 | head -n 1))" = counts && echo read-ok
for one in ~/data ~/data/raw ~/data/more; do touch $one/x 2> /dev/null && echo data-written; done
touch ~/mine && test -O ~/mine && echo home-ok
echo result > ~/processed/result && test "$(cat ~/processed/result)" = result && echo processed-ok
# the facility's own paths, of which results may be below the data
served() { find /var/tmp -name "$1" -path '*/served/*' 2> /dev/null; }
test "$(served scan_0001.h5 | xargs cat | head -c 6)" = counts && echo path-ok
test "$(served result | xargs cat)" = result && echo results-path-ok
served scan_0001.h5 | grep -vi processed | while read one; do touch $one.new 2> /dev/null && echo data-written; done
true
"""
HOLDS = ("read-ok", "home-ok", "processed-ok", "path-ok", "results-path-ok")


@contextmanager
def launch_on_squashed_storage(name: str, folder: Path, image: str = "") -> Iterator[Plan]:
    """Serve a facility's storage; yield the plan of a launch there."""
    require_fuse()
    account = Account("anna", UID, GID, (26001, 26006))
    if name == "alba":
        # sessions run as the proposal's account
        account = Account("u20180001", 28001, 26001)
    with squashed_tree(FACILITIES[name], folder) as tree:
        mounts = tuple(
            Mount(
                PurePosixPath(tree),
                PurePosixPath(tree / path.lstrip("/")),
                target,
                not target.startswith("data"),
                has_real_path=target != ".",
            )
            for target, path in LAYOUTS[name].items()
        )
        application = Application("look", "Look", Kind.DESKTOP, image=image or None)
        yield Plan(
            account, application, Size("small", "Small", 2**30, 1.0, 100, 1.0), mounts, "P", "", 1, aliases=(UNCHANGED,)
        )
