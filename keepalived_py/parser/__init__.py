"""keepalived.conf: text in, `config.model.Config` and diagnostics out.

Read in this order:

    source (files) -> reader (includes, conditions, definitions: `macros`; comments, quotes, braces: `tokens`) -> segments of words
    -> blocks (finds words in the `schema`, opens and closes blocks) -> drafts
    -> build, build_servers, build_checkers (inheritance, cross-field rules, scripts) -> Config

`keywords` declares the language, `kinds` its types of values, `codes` everything that can be said about a file; `load` ties it
together.  `origins` remembers where each line came from.  Files are touched in `source` only; the host is asked through `facts`.
"""
