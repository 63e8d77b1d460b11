"""`python -m deploy.audit`: are there known vulnerabilities in what is installed here?

pip-audit asks a database of advisories. One that answers nothing looks like one that knows nothing bad: so a version
with a well-known vulnerability is asked for first, and unless that is found the answer is "not audited", never "none".

Exit status: 0 audited and clean, 1 vulnerable, 3 not audited (the database cannot be reached from here).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# PYSEC-2019-217, CVE-2016-10745: since 2019 in every database of Python advisories.
CANARY = "jinja2==2.8"
NOT_AUDITED = 3
OPTIONS = ("--format", "json", "--progress-spinner", "off", "--timeout", "10")


class NotAudited(Exception):
    """The database of advisories could not be asked; the message says how that was seen."""


@dataclass(frozen=True)
class Finding:
    package: str
    version: str
    advisory: str
    fixed_in: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}: {self.advisory}, fixed in {self.fixed_in or 'no version yet'}"


def audit(*service: str) -> tuple[list[Finding], list[str]]:
    """Findings in this environment, and the packages that the database does not know. Raises NotAudited.

    service: pip-audit's options that choose another database than its usual one.
    """
    if not _findings(_asked_for(CANARY, service)):
        raise NotAudited(f"the database does not know the vulnerability of {CANARY}: it is away, or empty")
    answer = _asked(("--local", "--skip-editable"), service)
    return _findings(answer), [one["name"] for one in answer["dependencies"] if "skip_reason" in one]


def _asked_for(requirement: str, service: Sequence[str]) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        Path(file.name).write_text(f"{requirement}\n")
        return _asked(("--no-deps", "--disable-pip", "--requirement", file.name), service)


def _asked(what: Sequence[str], service: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "pip_audit", *OPTIONS, *service, *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason was given"]
        raise NotAudited(f"pip-audit did not come to an end: {last[0]}") from None
    return answer


def _findings(answer: dict[str, Any]) -> list[Finding]:
    return [
        Finding(one["name"], one["version"], vulnerability["id"], ", ".join(vulnerability["fix_versions"]))
        for one in answer["dependencies"]
        for vulnerability in one.get("vulns", ())
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.audit", description=__doc__)
    parser.add_argument("--osv-url", help="a database in the form of OSV, instead of PyPI's")
    chosen = parser.parse_args(arguments)
    service = ("--vulnerability-service", "osv", "--osv-url", chosen.osv_url) if chosen.osv_url else ()
    try:
        found, unknown = audit(*service)
    except NotAudited as reason:
        print(f"NOT AUDITED: {reason}")
        return NOT_AUDITED
    for finding in found:
        print(finding)
    print(f"audited: {len(found)} vulnerabilities; not in the database: {', '.join(unknown) or 'nothing'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
