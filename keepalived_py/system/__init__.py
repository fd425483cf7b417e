"""Adapters to the host: every file, account, process and kernel facility that is no socket of an engine.

One file per noun.  Engines never import this package; `daemon` and `cli` do.
"""
