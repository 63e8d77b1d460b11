"""`python -m evaluation COMMAND FILE`: every analysis without a server. JSON alone on stdout, messages on stderr."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import to_json
from evaluation.commands import COMMANDS
from evaluation.errors import EvaluationError

BAD_INPUT = 2


def parser() -> ArgumentParser:
    """One subcommand per entry of COMMANDS; each takes --format."""
    analyses = "\n".join(f"  {name:16}{analysis.title} ({analysis.source})" for name, analysis in ANALYSES.items())
    top = ArgumentParser(
        prog="python -m evaluation",
        description=__doc__,
        epilog=f"analyses:\n{analyses}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.summary, description=command.summary)
        command.arguments(one)
        one.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is not 0 when its input is bad."""
    options = parser().parse_args(arguments)
    try:
        answer = COMMANDS[options.command].run(options)
    except EvaluationError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    print(json.dumps(to_json(answer.data), allow_nan=False) if options.format == "json" else answer.text)
    for warning in answer.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
