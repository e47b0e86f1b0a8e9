"""Write the figures of the case studies to a folder."""

import argparse
import sys
import time

from acme_lib.cases.gallery import FIGURES, write_gallery


def main(arguments=None):
    """Parse the command line and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m acme_lib.cases", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"figures, by default all: {', '.join(f.name for f in FIGURES)}")
    parser.add_argument("--output", metavar="DIR", required=True, help="folder that they are written to")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {figure.name for figure in FIGURES}
    if unknown:
        parser.error(f"no figure is named {', '.join(sorted(unknown))}")
    start = time.perf_counter()
    written = write_gallery(options.output, options.names or None)
    print(f"{len(written)} figures in {time.perf_counter() - start:.1f} s: {options.output}")


if __name__ == "__main__":
    sys.exit(main())
