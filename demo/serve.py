"""Serves a log directory with TensorBoard and prints the address of the Activations tab.

python -m demo.serve --log-dir logs/demo
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from tensorboard import default, program


def _end(*_: object) -> None:
    """Ends the process, and with it TensorBoard's own child process. A further signal must not disturb that: make passes on what it got itself."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.serve", description="Serves a log directory with TensorBoard.")
    parser.add_argument("--log-dir", default="logs/demo")
    parser.add_argument("--port", default=None, help="a fixed port; default: 6006 or the next free one")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    board = program.TensorBoard(default.get_plugins())
    port = [] if arguments.port is None else ["--port", arguments.port]
    board.configure(argv=["tensorboard", "--logdir", arguments.log_dir, *port])
    print(f"\nActivations:  {board.launch()}#tb_activations\n\nCtrl+C ends it.", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
