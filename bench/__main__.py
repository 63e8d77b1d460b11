"""`make bench`: every measurement, or the ones named: `make bench ARGS="swiss live"`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# They measure nothing by themselves.
PARTS = {"__init__", "__main__", "world", "timing", "seed", "echo", "viewers", "bare", "calling", "history"}
ALL = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in PARTS)


def main() -> int:
    chosen = sys.argv[1:] or ALL
    unknown = set(chosen) - set(ALL)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    codes = []
    for name in chosen:
        print(f"=== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
