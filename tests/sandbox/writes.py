"""Tries to change a directory in every way the kernel knows; run inside a session: `python3 writes.py DIRECTORY`.

Prints one line an attempt: its name, and "refused" with the reason or "SUCCEEDED".
"""

import ctypes
import errno
import fcntl
import mmap
import os
import struct
import sys

directory = sys.argv[1]
target = os.path.join(
    directory, sorted(name for name in os.listdir(directory) if name.endswith((".mca", ".dat", ".DAT")))[0]
)
libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mapped():
    fd = os.open(target, os.O_RDWR)
    mmap.mmap(fd, 1)[0] = 0


def remount():
    checked(libc.mount(b"none", directory.encode(), None, 32 | 4096, None))  # MS_REMOUNT | MS_BIND


def through_proc():
    os.close(os.open(f"/proc/self/root{target}", os.O_WRONLY))


def flags():
    fd = os.open(target, os.O_RDONLY)
    fcntl.ioctl(fd, 0x40086602, struct.pack("l", 0))  # FS_IOC_SETFLAGS


def through_fd():
    fd = os.open(target, os.O_RDONLY)
    os.close(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY))


def through_link():
    link = os.path.join(os.environ["HOME"], "link-to-raw")
    os.symlink(target, link)
    try:
        os.close(os.open(link, os.O_WRONLY))
    finally:
        os.unlink(link)


def setns():
    checked(libc.unshare(0x10000000))  # a user namespace, where everybody is root
    remount()


attempts = {
    "open for writing": lambda: os.open(target, os.O_WRONLY),
    "open to truncate": lambda: os.open(target, os.O_RDWR | os.O_TRUNC),
    "truncate": lambda: os.truncate(target, 0),
    "create": lambda: os.open(os.path.join(directory, "new"), os.O_CREAT | os.O_WRONLY),
    "mkdir": lambda: os.mkdir(os.path.join(directory, "new")),
    "mknod": lambda: os.mkfifo(os.path.join(directory, "new")),
    "symlink": lambda: os.symlink("/etc/passwd", os.path.join(directory, "new")),
    "hard link": lambda: os.link(target, os.path.join(directory, "new")),
    "unlink": lambda: os.unlink(target),
    "rename": lambda: os.rename(target, target + ".old"),
    "chmod": lambda: os.chmod(target, 0o777),
    "chown": lambda: os.chown(target, os.getuid(), os.getgid()),
    "utimes": lambda: os.utime(target, (0, 0)),
    "setxattr": lambda: os.setxattr(target, "user.daas", b"1"),
    "shared mapping": mapped,
    "remount read-write": remount,
    "through /proc/self/root": through_proc,
    "through /proc/self/fd": through_fd,
    "through a link of the home": through_link,
    "inode flags": flags,
    "user namespace, then remount": setns,
}
for name, attempt in attempts.items():
    try:
        attempt()
        print(f"{name}: SUCCEEDED")
    except OSError as error:
        print(f"{name}: refused {errno.errorcode.get(error.errno, error.errno)}")
