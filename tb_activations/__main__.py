"""``python -m tb_activations``: the command line, where the script ``tb-activations`` is not on the path."""

from __future__ import annotations

import sys

from tb_activations.cli import main

if __name__ == "__main__":
    sys.exit(main())
