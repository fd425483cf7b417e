"""The configuration as frozen values: no text, no parsing, no I/O.

Read in this order:  scripts -> checkers -> lvs -> globals -> model (`Config`, the whole) -> diff.
Defaults stand here, once, as the defaults of the fields; the parser's keyword declarations and the manual take them from here.
What does not belong here: anything that is true only now (that is an engine's state), and anything that needs the host.
"""
