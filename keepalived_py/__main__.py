"""``python -m keepalived_py`` is ``keepalived-py``."""

from keepalived_py.cli import run

run()
