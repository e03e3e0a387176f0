"""Runs the command line as `python -m restream_async.cli`."""

import sys

from restream_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
