"""Which of several processes may draw on the terminal that they share.

The stages of a pipe share a terminal and a process group. One of them at a time draws a live line;
none does while another one writes records to the terminal. Both rights are record locks on the
terminal device itself, at an offset that belongs to the process group. So there is no state to
clean up: the system releases the lock of a process that dies, and a pipe that is suspended does
not keep another one from drawing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile

__all__ = ["TerminalLock"]

_FLAGS = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


class TerminalLock:
    """The rights of this process on one terminal.

    Attributes:
        is_usable: False where no lock can be taken; then no live line should be drawn.
    """

    def __init__(self, terminal: int) -> None:
        """Open the locks.

        Args:
            terminal: file descriptor of the terminal.
        """
        self._terminal = terminal
        self._writes = False
        self._handle = _lockable(terminal)
        self.is_usable = self._handle is not None

    @property
    def in_foreground(self) -> bool:
        """Whether the terminal belongs to this process group, and not to the shell or another."""
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:  # not the controlling terminal, so there is no job control
            return True

    def may_draw(self) -> bool:
        """Take the right to draw a live line, or keep it; False while another process has it.

        It is asked for before each drawing: a lock is lost where any descriptor of the terminal
        is closed in this process.
        """
        if self._handle is None or self._writes or not self.in_foreground:
            return False
        if not self._take(_WRITING, fcntl.LOCK_EX):  # another process writes records
            return False
        self._release(_WRITING)
        return self._take(_DRAWING, fcntl.LOCK_EX)

    def stop_drawing(self) -> None:
        """Leave the right to another process."""
        self._release(_DRAWING)

    def claim_for_writing(self) -> None:
        """Keep every process of the pipe from drawing until this process ends."""
        self._writes = True
        self._release(_DRAWING)
        if self._handle is not None:
            with contextlib.suppress(OSError):  # no lock: the others cannot draw either
                # Several may share it. It waits only for the moment of another's test.
                fcntl.lockf(self._handle, fcntl.LOCK_SH, 1, _offset(_WRITING))

    def _take(self, right: int, kind: int) -> bool:
        assert self._handle is not None
        try:
            fcntl.lockf(self._handle, kind | fcntl.LOCK_NB, 1, _offset(right))
        except OSError:
            return False
        return True

    def _release(self, right: int) -> None:
        if self._handle is not None:
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, _offset(right))


_DRAWING, _WRITING = 0, 1


def _offset(right: int) -> int:
    return 2 * os.getpgrp() + right


def _lockable(terminal: int) -> int | None:
    """Open what is locked: the terminal, or a file where that cannot be locked."""
    for open_it in (_open_terminal, _open_file):
        with contextlib.suppress(OSError):
            handle = open_it(terminal)
            try:
                # A byte of no process group: the attempt only shows whether locks are supported.
                fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 0)
                fcntl.lockf(handle, fcntl.LOCK_UN, 1, 0)
            except OSError:
                os.close(handle)
                raise
            return handle
    return None


def _open_terminal(terminal: int) -> int:
    return os.open(os.ttyname(terminal), _FLAGS)


def _open_file(terminal: int) -> int:
    """Open a file of this user and terminal, such as where the terminal is another user's."""
    name = f"mitools-{os.getuid()}-{os.fstat(terminal).st_rdev}.lock"
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    flags = _FLAGS | os.O_CREAT | os.O_NOFOLLOW
    handle = os.open(os.path.join(folder, name), flags, 0o600)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{name} is not a file")
    return handle
