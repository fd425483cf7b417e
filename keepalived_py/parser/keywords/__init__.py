"""The language, one declaration per keyword.

`root` puts the blocks together.  To add a keyword: add a `Keyword` to its block's table here, and its field to the model in
`config`; the parser, the range check, the dump, the manual and the fuzz dictionary follow.
"""
