"""`python -m deploy.local [check | doctor | backup FILE | restore FILE]`; without a word: run the platform."""

from __future__ import annotations

import importlib
import sys

COMMANDS = {
    "run": ("deploy.local.run", "main"),
    "check": ("deploy.local.check", "main"),
    "doctor": ("deploy.local.doctor", "main"),
    "backup": ("deploy.local.backup", "main_backup"),
    "restore": ("deploy.local.backup", "main_restore"),
}


def main(arguments: list[str]) -> int:
    word, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in COMMANDS else ("run", arguments)
    module, function = COMMANDS[word]
    code: int = getattr(importlib.import_module(module), function)(rest)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
