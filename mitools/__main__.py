"""The start of the ``mitools`` command, of ``python -m mitools`` and of ``torchrun -m mitools``."""

import signal


def run() -> None:
    """Run the command line.

    While its modules are imported, ^C ends the process at once; it would write a traceback. A
    command catches it from its start on.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mitools.cli import main

    main()


if __name__ == "__main__":
    run()
