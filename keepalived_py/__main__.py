"""``python -m keepalived_py`` is ``keepalived-py``."""

import sys

from keepalived_py.cli import main

sys.exit(main())
