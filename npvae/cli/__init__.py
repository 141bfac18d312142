"""The command line: one module for each command; parsing only, the work is elsewhere.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 a check failed, 2 usage or bad
input, 130 interrupted (what was reached is saved).
"""

import argparse
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Sequence

from npvae.memory import check_address_space, is_address_space_small, take_memory_for_products
from npvae.printable import Unfailing, print_warning, printable
from npvae.version import __version__

COMMANDS = (
    "compare",
    "train",
    "encode",
    "score",
    "sample",
    "reconstruct",
    "evaluate",
    "interpolate",
    "traverse",
    "plane",
    "nearest",
    "trace",
    "explore",
    "animate",
    "lab",
    "derive",
    "gradcheck",
    "exercise",
    "quiz",
    "info",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    try:
        return _main(argv)
    except KeyboardInterrupt:  # while this command line was read
        print("npvae: interrupted", file=sys.stderr)
        return 130


def _main(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="npvae",
        description="An autoencoder and a variational autoencoder from scratch in NumPy.",
        epilog="Each command has its own --help, with examples. Start with: npvae compare",
    )
    parser.add_argument("--version", action="version", version=f"npvae {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"npvae.cli.{name}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    _open_missing_streams()
    args = parser.parse_args(argv)
    try:
        if args.command == "info":
            check_address_space(160)  # it takes 120 MB
        else:
            check_address_space(650)  # training on digits takes 530 to 600 MB
            take_memory_for_products()
    except MemoryError as error:
        parser.exit(2, f"npvae {args.command}: not enough memory ({error})\n")
    from npvae.training.interrupt import ended_like_ctrl_c
    from npvae.training.parallel import ParallelError, abort_at_exit, n_launched, way_out

    if n_launched() > 1 and args.command != "train":
        parser.error(
            f"{args.command} runs in one process, but mpirun or srun started {n_launched()}, of which only "
            f"npvae train makes use. {way_out()}"
        )
    stderr = contextlib.redirect_stderr(Unfailing(sys.stderr))
    with stderr, warnings.catch_warnings(), ended_like_ctrl_c():
        warnings.showwarning = print_warning
        try:
            code = args.run(args)
            sys.stdout.flush()
            return code
        except BrokenPipeError:  # the reader, head for example, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except KeyboardInterrupt:
            print(f"npvae {args.command}: interrupted", file=sys.stderr)
            abort_at_exit(130)
            return 130
        except (MemoryError, ImportError) as error:
            if isinstance(error, ImportError) and not is_address_space_small():
                raise
            what = f" ({printable(error)})" if str(error) else ""
            print(f"npvae {args.command}: not enough memory{what}", file=sys.stderr)
            abort_at_exit(2)
            return 2
        except (ValueError, OSError, FloatingPointError, ParallelError) as error:
            print(f"npvae {args.command}: {printable(error)}", file=sys.stderr)
            abort_at_exit(2)
            return 2


def _open_missing_streams() -> None:
    """Let output go nowhere where the process was started with stdout or stderr closed.

    Otherwise the next file that is opened would get the number of the closed one, and what a library prints
    would get into that file.
    """
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(free, True)  # for workers, which would start with it closed again
    os.close(free)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (until the process ends)
