"""Whether a file or directory is ours alone, and stays where it is: judged before it is used."""

import os
import stat
from typing import Final

_ALL_USERS: Final = "0 0 4294967295"


def who_may_rename_below(path: str) -> str | None:
    """Say why another user may rename what is made below a real path; None if no other user may."""
    trusted = {0, os.getuid()} | _unknown_users()
    while True:
        try:
            found = os.stat(path)
        except OSError as error:
            return str(error)
        if found.st_uid not in trusted:
            return f"{path} belongs to user {found.st_uid}"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
            return f"others may write to {path}, and the sticky bit is not set"
        if path == os.path.dirname(path):
            return None
        path = os.path.dirname(path)


def _unknown_users() -> set[int]:
    """Find the id of all users, root among them, that have none in this user namespace, if there are such."""
    try:
        with open("/proc/self/uid_map") as file:
            if " ".join(file.read().split()) == _ALL_USERS:
                return set()
        with open("/proc/sys/kernel/overflowuid") as file:
            return {int(file.read())}
    except (OSError, ValueError):
        return set()


def problem_with(path: str) -> str | None:
    """Say why this path is no directory that belongs to us alone; None if it is one."""
    try:
        found = os.lstat(path)
    except OSError as error:
        return str(error)
    if stat.S_ISLNK(found.st_mode):
        return "it is a symbolic link"
    return problem_with_dir(found)


def problem_with_dir(found: os.stat_result) -> str | None:
    """Say why this is no directory that belongs to us alone; None if it is one."""
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a directory"
    if found.st_uid != os.getuid():
        return f"it belongs to user {found.st_uid}, not to user {os.getuid()}"
    if stat.S_IMODE(found.st_mode) != 0o700:
        return f"its mode is {stat.S_IMODE(found.st_mode):04o}, not 0700"
    return None


def problem_with_file(found: os.stat_result) -> str | None:
    """Say why this is no regular file that we alone can read and write; None if it is one."""
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.getuid():
        return f"it belongs to user {found.st_uid}, not to user {os.getuid()}"
    if stat.S_IMODE(found.st_mode) & 0o077:
        return f"its mode is {stat.S_IMODE(found.st_mode):04o}, so other users may open it; it wants 0600"
    return None
