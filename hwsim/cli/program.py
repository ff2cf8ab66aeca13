"""The program: commands, and how failures leave it."""

import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import shell_complete

import hwsim
from hwsim import digits
from hwsim.cli.characterization import characterize
from hwsim.cli.comparisons import compare
from hwsim.cli.datapaths import datapaths
from hwsim.cli.energy_accuracy import energy_accuracy
from hwsim.cli.formats import formats
from hwsim.cli.gates import power
from hwsim.cli.hardware import rtl
from hwsim.cli.pages import report
from hwsim.cli.reproductions import reproduce
from hwsim.cli.rules import rules
from hwsim.cli.searches import search
from hwsim.cli.simulations import simulate
from hwsim.cli.sweeps import export, sweep
from hwsim.cli.workloads import workloads
from hwsim.errors import HwsimError

BAD_INPUT = 2
INTERRUPTED = 130


COMPLETE = "_HWSIM_COMPLETE"
"""The variable by which a shell asks what could follow."""

HELP = f"""Latency, energy, area and RTL of hardware for low-bit neural networks.

NETWORK is a file that hwsim exported, the name of a shipped network ({", ".join(digits.networks())})
or, where no RTL is made, of a model (hwsim workloads).

\b
Example:
  hwsim simulate mlp_int8

\b
Completion of commands and options (bash; zsh and fish likewise):
  eval "$({COMPLETE}=bash_source hwsim)"
"""


@click.group(
    help=HELP,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(hwsim.__version__, prog_name="hwsim", message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    simulate,
    sweep,
    search,
    compare,
    export,
    report,
    rtl,
    formats,
    datapaths,
    rules,
    workloads,
    power,
    characterize,
    energy_accuracy,
    reproduce,
):
    program.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit status: 0, 2 for bad input, 130 if interrupted.

    A failure is one line on standard error.
    """
    if asked := os.environ.get(COMPLETE):
        return shell_complete(program, {}, "hwsim", COMPLETE, asked)
    try:
        with program.make_context("hwsim", list(sys.argv[1:] if arguments is None else arguments)) as context:
            program.invoke(context)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _fail(error.format_message(), BAD_INPUT)
    except HwsimError as error:
        return _fail(str(error), BAD_INPUT)
    except (KeyboardInterrupt, click.Abort) as error:
        return _fail(str(error) or "interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as in `hwsim ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.strerror or error}{f': {error.filename!r}' if error.filename else ''}", BAD_INPUT)
    return 0


def _fail(message: str, status: int) -> int:
    click.echo(f"hwsim: error: {' '.join(message.split())}", err=True)
    return status
