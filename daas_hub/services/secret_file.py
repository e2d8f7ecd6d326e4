"""A secret in a file of its own: a password or a token that is in no configuration, no address and no log."""

from __future__ import annotations

import os
import stat

from daas_hub.errors import ConfigurationError, ErrorKind

#: A token is some kilobytes at most; whatever is larger is another file.
MAX_BYTES = 16_384


def read_secret(setting: str, path: str) -> str:
    """Return the one line of a secret's file, without the end of the line.

    Raises:
        ConfigurationError: naming the setting and the file, never what is in it: the file is missing, empty, too large
            for a secret, or somebody else can read or change it.
    """

    def problem(message: str, remedy: str, kind: ErrorKind = ErrorKind.SECRET_UNREADABLE) -> ConfigurationError:
        return ConfigurationError(setting, path, message, remedy=remedy, kind=kind)

    if not path:
        raise problem("is not set", "Give the path of a file that holds the secret and nothing else.")
    if not path.startswith("/"):
        raise problem("is not an absolute path", "Write it from the root: /etc/daas-hub/secrets/icat.")
    try:
        # looked at once it is open, so that what is checked is what is read; a pipe must not hold up the hub
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise problem(f"cannot be read: {error.strerror}", "Make the hub's user its owner.") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise problem("is no plain file", "Give the path of a file that holds the secret and nothing else.")
        if status.st_mode & 0o077:
            raise problem("can be read by others", f"chmod 600 {path}", ErrorKind.FILE_PERMISSIONS)
        if status.st_uid not in (0, os.geteuid()):
            raise problem("belongs to another user", f"chown {os.geteuid()} {path}", ErrorKind.FILE_PERMISSIONS)
        content = os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        secret = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        secret = ""
    if len(content) > MAX_BYTES or not secret or not secret.isprintable():
        raise problem("does not hold one line of text", "Write the secret, and nothing else, into the file.")
    return secret
