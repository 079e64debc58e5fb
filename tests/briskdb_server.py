"""BriskDB's listener for MongoDB's protocol as a program: ``python tests/briskdb_server.py FOLDER --port PORT``."""

from __future__ import annotations

import argparse
import signal

import briskdb


def main() -> None:
    """Listen until somebody sends a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--port")
    arguments = parser.parse_args()
    opened = briskdb.open(arguments.folder, shards=2, documents=True)
    with opened as database, database.serve(mongo=f"127.0.0.1:{arguments.port}"):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
