"""How a command ends: with 0, or with 2 and a message that says what to do."""

from __future__ import annotations

import signal
import sys

import typer

from pkpd.commands.terminal import guarded_output, print_error
from pkpd.errors import PkpdError, clipped


def run(app: typer.Typer) -> None:
    """Runs the command line: an error that the user can mend is printed and exits with 2."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # a batch system's stop leaves no half-written file either
    try:
        with guarded_output():
            code = app(standalone_mode=False)  # an exit within a command comes back as its code
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except (typer.Abort, KeyboardInterrupt):
        _fail(
            "interrupted; no half-written file was left\n"
            "    remedy: run it again; a fit goes on from its last checkpoint with `pkpd fit NAME --resume`"
        )
    except MemoryError:
        _fail("needs more memory than this machine has\n    remedy: fewer patients, cycles or times")
    except PkpdError as error:
        _fail(str(error))
    except OSError as error:
        place = clipped(str(error.filename or "this machine"))
        _fail(f"{place}: {error.strerror or error}\n    remedy: choose another file or folder")
    except UnicodeError:
        _fail("a name holds what is no text in UTF-8\n    remedy: rename the file or folder")
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()  # type: ignore[attr-defined]
            sys.exit(2)
        raise


_INTERRUPTED = 130  # what the command-line library returns where the user broke off


def _fail(text: str) -> None:
    print_error(text)
    sys.exit(2)
