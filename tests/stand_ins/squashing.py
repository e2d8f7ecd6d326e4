"""A file server that squashes root: a file system of the kernel, served by a program that acts as the caller.

It passes every operation on to a real directory, and does root's as nobody. As with NFS and AUTH_SYS, the server alone
decides, by the caller's uid, gid and groups, of which it takes no more than `--groups`; a file handle, once looked up,
answers `stat` to everybody.
Three names stand for a server that is ill: `stale-handle` (ESTALE), `no-ticket` (ENOKEY), `never-answers`.

Run it as a program: `python -m tests.stand_ins.squashing REAL MOUNTPOINT`. It prints "ready", and ends with its input.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import importlib.util
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.not_tried import missing

NOBODY = 65534
ROOT = Path(__file__).parents[2]

_libc = ctypes.CDLL(None, use_errno=True)
#: The calls of the kernel, which change one thread: setfsuid, setfsgid, setgroups of x86-64 and of others.
_SETFSUID, _SETFSGID, _SETGROUPS = (122, 123, 116) if os.uname().machine == "x86_64" else (151, 152, 159)


def _set_groups(groups: list[int]) -> None:
    array = (ctypes.c_uint32 * len(groups))(*groups)
    if _libc.syscall(_SETGROUPS, len(groups), array) != 0:
        raise OSError(ctypes.get_errno(), "setgroups")


def groups_of(pid: int) -> list[int]:
    """Return the supplementary groups of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Groups:"):
            return [int(word) for word in line.split()[1:]]
    return []


@contextmanager
def acting_as(uid: int, gid: int, pid: int, max_groups: int) -> Iterator[None]:
    """Lend this thread the rights of a caller while it does one operation."""
    groups = [] if uid == 0 else groups_of(pid)[:max_groups]
    if uid == 0:
        uid = gid = NOBODY
    _set_groups(groups)
    _libc.syscall(_SETFSGID, gid)
    # last: it takes the capabilities of root over files
    _libc.syscall(_SETFSUID, uid)
    try:
        yield
    finally:
        _libc.syscall(_SETFSUID, 0)
        _libc.syscall(_SETFSGID, 0)
        _set_groups([])


def _operations(real: str, max_groups: int) -> Any:
    import pyfuse3
    import trio

    class Squashing(pyfuse3.Operations):
        """Each inode is an open descriptor, as a file handle of NFS is."""

        enable_acl = False

        def __init__(self) -> None:
            super().__init__()
            self._fds = {pyfuse3.ROOT_INODE: os.open(real, os.O_PATH)}
            self._known: dict[tuple[int, int], int] = {}
            self._lookups: dict[int, int] = {}
            self._next = pyfuse3.ROOT_INODE + 1
            self._listings: dict[int, list[str]] = {}

        # -- inodes

        def _path(self, inode: int) -> str:
            return f"/proc/self/fd/{self._fds[inode]}"

        def _attributes(self, inode: int) -> Any:
            status = os.stat(self._path(inode))
            entry = pyfuse3.EntryAttributes()
            for name in ("st_mode", "st_nlink", "st_uid", "st_gid", "st_rdev", "st_size", "st_atime_ns",
                         "st_mtime_ns", "st_ctime_ns"):  # fmt: skip
                setattr(entry, name, getattr(status, name))
            entry.st_ino = inode
            # nothing is cached: every look is a question
            entry.entry_timeout = entry.attr_timeout = 0
            return entry

        def _remember(self, parent: int, name: bytes) -> Any:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self._fds[parent])
            status = os.fstat(fd)
            key = (status.st_dev, status.st_ino)
            if key in self._known:
                os.close(fd)
            else:
                self._known[key] = self._next
                self._fds[self._next] = fd
                self._next += 1
            inode = self._known[key]
            self._lookups[inode] = self._lookups.get(inode, 0) + 1
            if stat.S_ISLNK(status.st_mode):
                entry = pyfuse3.EntryAttributes()
                entry.st_mode, entry.st_ino, entry.st_size = status.st_mode, inode, status.st_size
                entry.entry_timeout = entry.attr_timeout = 0
                return entry
            return self._attributes(inode)

        def _as(self, ctx: Any) -> Any:
            return acting_as(ctx.uid, ctx.gid, ctx.pid, max_groups)

        async def lookup(self, parent_inode: int, name: bytes, ctx: Any = None) -> Any:
            if name == b"never-answers":
                await trio.sleep_forever()
            ill = {b"stale-handle": errno.ESTALE, b"no-ticket": errno.ENOKEY}
            if name in ill:
                raise pyfuse3.FUSEError(ill[name])
            with self._as(ctx), _errors():
                return self._remember(parent_inode, name)

        async def forget(self, inode_list: Any) -> None:
            """Keep every handle: this is one test's storage."""

        async def getattr(self, inode: int, ctx: Any = None) -> Any:
            with _errors():
                return self._attributes(inode)

        async def readlink(self, inode: int, ctx: Any) -> bytes:
            with self._as(ctx), _errors():
                return os.readlink(b"", dir_fd=self._fds[inode])

        async def access(self, inode: int, mode: int, ctx: Any) -> bool:
            with self._as(ctx):
                return os.access(self._path(inode), mode, effective_ids=True)

        # -- changes

        async def setattr(self, inode: int, attr: Any, fields: Any, fh: Any, ctx: Any) -> Any:
            path = self._path(inode)
            with self._as(ctx), _errors():
                if fields.update_uid or fields.update_gid:
                    os.chown(path, attr.st_uid if fields.update_uid else -1, attr.st_gid if fields.update_gid else -1)
                if fields.update_mode:
                    os.chmod(path, stat.S_IMODE(attr.st_mode))
                if fields.update_size:
                    os.truncate(path, attr.st_size)
                if fields.update_mtime or fields.update_atime:
                    os.utime(path, ns=(attr.st_atime_ns, attr.st_mtime_ns))
                return self._attributes(inode)

        async def mkdir(self, parent_inode: int, name: bytes, mode: int, ctx: Any) -> Any:
            with self._as(ctx), _errors():
                os.mkdir(name, stat.S_IMODE(mode), dir_fd=self._fds[parent_inode])
                return self._remember(parent_inode, name)

        async def rmdir(self, parent_inode: int, name: bytes, ctx: Any) -> None:
            with self._as(ctx), _errors():
                os.rmdir(name, dir_fd=self._fds[parent_inode])

        async def unlink(self, parent_inode: int, name: bytes, ctx: Any) -> None:
            with self._as(ctx), _errors():
                os.unlink(name, dir_fd=self._fds[parent_inode])

        async def symlink(self, parent_inode: int, name: bytes, target: bytes, ctx: Any) -> Any:
            with self._as(ctx), _errors():
                os.symlink(target, name, dir_fd=self._fds[parent_inode])
                return self._remember(parent_inode, name)

        async def rename(
            self, parent_inode_old: int, name_old: bytes, parent_inode_new: int, name_new: bytes, flags: int, ctx: Any
        ) -> None:
            with self._as(ctx), _errors():
                os.rename(name_old, name_new, src_dir_fd=self._fds[parent_inode_old],
                          dst_dir_fd=self._fds[parent_inode_new])  # fmt: skip

        async def create(self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: Any) -> Any:
            with self._as(ctx), _errors():
                fd = os.open(name, flags | os.O_CREAT, stat.S_IMODE(mode), dir_fd=self._fds[parent_inode])
                return pyfuse3.FileInfo(fh=fd, direct_io=True), self._remember(parent_inode, name)

        async def mknod(self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: Any) -> Any:
            with self._as(ctx), _errors():
                os.mknod(name, mode, rdev, dir_fd=self._fds[parent_inode])
                return self._remember(parent_inode, name)

        # -- contents

        async def open(self, inode: int, flags: int, ctx: Any) -> Any:
            with self._as(ctx), _errors():
                return pyfuse3.FileInfo(fh=os.open(self._path(inode), flags & ~os.O_CREAT), direct_io=False)

        async def read(self, fh: int, off: int, size: int) -> bytes:
            with _errors():
                return os.pread(fh, size, off)

        async def write(self, fh: int, off: int, buf: bytes) -> int:
            with _errors():
                return os.pwrite(fh, buf, off)

        async def release(self, fh: int) -> None:
            os.close(fh)

        async def flush(self, fh: int) -> None:
            """Nothing is kept back."""

        async def fsync(self, fh: int, datasync: bool) -> None:
            os.fsync(fh)

        async def opendir(self, inode: int, ctx: Any) -> int:
            with self._as(ctx), _errors():
                fd = os.open(self._path(inode), os.O_RDONLY | os.O_DIRECTORY)
            self._listings[fd] = sorted(os.listdir(fd))
            return fd

        async def readdir(self, fh: int, start_id: int, token: Any) -> None:
            parent = os.fstat(fh)
            here = self._known.get((parent.st_dev, parent.st_ino), pyfuse3.ROOT_INODE)
            for index, name in enumerate(self._listings[fh][start_id:], start_id + 1):
                try:
                    entry = self._remember(here, os.fsencode(name))
                except OSError:
                    continue
                if not pyfuse3.readdir_reply(token, os.fsencode(name), entry, index):
                    return

        async def releasedir(self, fh: int) -> None:
            del self._listings[fh]
            os.close(fh)

        async def statfs(self, ctx: Any) -> Any:
            found, answer = os.statvfs(real), pyfuse3.StatvfsData()
            for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"):
                setattr(answer, name, getattr(found, name))
            return answer

    @contextlib.contextmanager
    def _errors() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise pyfuse3.FUSEError(error.errno) from None

    return Squashing()


def main() -> None:
    """Serve until the standard input ends."""
    import pyfuse3
    import trio

    parser = argparse.ArgumentParser()
    parser.add_argument("real")
    parser.add_argument("mountpoint")
    parser.add_argument("--groups", type=int, default=65536)
    args = parser.parse_args()
    os.umask(0)
    options = {"fsname=squashing", "allow_other", "suid", "dev"} | pyfuse3.default_options - {"default_permissions"}
    pyfuse3.init(_operations(args.real, args.groups), args.mountpoint, options)

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pyfuse3.main)
            print("ready", flush=True)
            async with trio.lowlevel.FdStream(os.dup(0)) as stdin:
                await stdin.receive_some(1)
            nursery.cancel_scope.cancel()

    try:
        trio.run(serve)
    finally:
        subprocess.run(["umount", "-l", args.mountpoint], check=False)
        pyfuse3.close(unmount=False)


def require_fuse() -> None:
    """Skip where no file system can be served, unless CI promised it."""
    if os.geteuid() != 0:
        missing("root", "only root serves a file system to every account")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or importlib.util.find_spec("pyfuse3") is None:
        missing("fuse", "a file system of its own needs /dev/fuse and the package pyfuse3")


@contextmanager
def squashing(real: Path, mountpoint: Path, *, groups: int = 65536) -> Iterator[subprocess.Popen[str]]:
    """Serve a directory at a mount point while the context lasts; yield the server's process."""
    argv = [sys.executable, "-m", "tests.stand_ins.squashing", str(real), str(mountpoint), "--groups", str(groups)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            yield server
        finally:
            subprocess.run(["umount", "-l", mountpoint], check=False)
            server.kill()


if __name__ == "__main__":
    main()
