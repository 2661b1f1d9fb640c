"""A training, as far as a page can tell: writes one capture for each step that it reads from standard input.

    python -m tests.browser.grow RUN_DIR

The one invariant: "ok" is printed once the capture is in a file.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.browser.conftest import DIGITS, digits_values
from tests.builders import capture_of, open_writer, put, write_marker


def main() -> None:
    path = Path(sys.argv[1])
    with open_writer(path, DIGITS) as writer:
        write_marker(path)
        for line in sys.stdin:
            step = int(line)
            capture = replace(capture_of(DIGITS, digits_values(1), step), wall_time=time.time())
            put(writer, step, [capture])
            writer.flush()
            print("ok", flush=True)


if __name__ == "__main__":
    main()
