# SPDX-License-Identifier: Apache-2.0
"""The one exception type of the project: a sentence for the user, and how text reaches terminals and logs."""

import errno


class PartDistillError(Exception):
    """Something the user can mend: the message names the file or field and the remedy.

    The command line prints the message without a stack trace (exit code 2), nodes log it and
    go on with what they had.
    """


class CommandFailed(PartDistillError):
    """The input was in order and the work failed all the same: exit code 1 instead of 2."""


class MalformedCloudError(PartDistillError):
    """A PointCloud2 whose steps, sizes and fields do not fit together or its data."""


class MissingDependencyError(PartDistillError):
    """An optional package is not installed; the message names the extra to install."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the Python package '{package}', which is not installed: "
            f'pip install "partdistill_ros[{extra}]"'
        )


_SURROUNDINGS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE,
)  # fmt: skip


def of_surroundings(error: BaseException) -> bool:
    """Whether rights, disks or limits of the machine are the cause, wherever it was met."""
    return isinstance(error, OSError) and error.errno in _SURROUNDINGS


def describe(error: BaseException) -> str:
    """An error in one sentence: ours is one already, others come with their type."""
    if isinstance(error, PartDistillError):
        return str(error)
    if isinstance(error, OSError) and of_surroundings(error):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}; check rights, room and limits of this machine"
    return f"{type(error).__name__}: {error}"


def printable(text: str, keep: str = "") -> str:
    """Text from elsewhere, fit for a log or a terminal: control characters, those that turn the direction of writing,
    and what is no character are written as escapes (`\\x1b`). keep: control characters that stay, such as line ends."""
    return "".join(one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text)
