"""The command of the stand-in by itself: `python -m biostar.standin start|stop|status`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from biostar.standin.daemon import start, status, stop
from biostar.standin.errors import StandInError
from biostar.standin.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns its exit code."""
    parser = argparse.ArgumentParser(prog="standin", description="A local stand-in for Amazon Redshift.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("start", help="start it in the background")
    starting.add_argument("--home", type=Path, default=Path("data/standin"))
    starting.add_argument("--port", type=int, default=5439)
    starting.add_argument("--database", default="dev")
    starting.add_argument("--user", default="biostar")
    starting.add_argument("--password", default="standin")
    starting.add_argument("--s3-endpoint", default="")
    starting.add_argument("--postgres-bin", default="")
    starting.add_argument("--no-tls", dest="tls", action="store_false")
    starting.add_argument("--fresh", action="store_true", help="delete the data of an earlier run")
    for name in ("stop", "status"):
        verbs.add_parser(name).add_argument("--home", type=Path, default=Path("data/standin"))
    serving = verbs.add_parser("serve", help=argparse.SUPPRESS)
    serving.add_argument("--ready-fd", type=int, required=True)
    serving.add_argument("--fresh", action="store_true")
    serving.add_argument("--owner-fd", type=int)
    serving.add_argument("--discard", action="store_true", help="delete the data when the owner has ended")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "serve":
        from biostar.standin.server import serve

        settings = Settings.from_dict(json.load(sys.stdin))
        ready = os.fdopen(chosen.ready_fd, "w")
        return serve(settings, ready, chosen.fresh, chosen.owner_fd, discard=chosen.discard)
    try:
        if chosen.verb == "start":
            values = {key: value for key, value in vars(chosen).items() if key not in ("verb", "fresh")}
            answer = start(Settings(**values), fresh=chosen.fresh)
        elif chosen.verb == "stop":
            answer = {"stopped": stop(chosen.home)}
        else:
            answer = status(chosen.home)
    except StandInError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"  next: {error.next_step}\n" if error.next_step else ""))
        return 5 if error.retryable else 3
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
