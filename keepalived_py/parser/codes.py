"""Every diagnostic that exists, once: its code, its class, what it means.

A number is never used again for something else.  KA0xx: reading text; KA1xx: values; KA2xx: what fits together; KA3xx: scripts and
files; KA4xx: FULLNAT and SYN proxy; KA9xx: advice, which never changes an exit status.
"""

from typing import Final

from keepalived_py.parser.diagnostics import Code, Severity

_S = Severity

# Reading text ---------------------------------------------------------------------------------------------------------------
UNKNOWN_KEYWORD: Final = Code(
    "KA001",
    "unknown-keyword",
    _S.UNKNOWN_KEYWORD,
    "No such keyword at this level.  The line is ignored; of a block, the contents are read as if they stood outside of it.",
    "virtual_server 192.0.2.1 80 {\n    wheight 1\n}",
)
STRAY_OPEN: Final = Code("KA002", "stray-open-brace", _S.UNEXPECTED_BOB, "An opening brace that belongs to no block is ignored.")
MISSING_OPEN: Final = Code(
    "KA003",
    "missing-open-brace",
    _S.MISSING_BOB,
    "A block keyword must be followed by an opening brace; the block is read all the same.",
)
STRAY_CLOSE: Final = Code("KA004", "stray-close-brace", _S.UNEXPECTED_EOB, "A closing brace without an open block.")
MISSING_CLOSE: Final = Code(
    "KA005",
    "missing-close-brace",
    _S.MISSING_EOB,
    "The configuration ends inside a block; the place shown is where that block starts.",
)
UNMATCHED_QUOTE: Final = Code(
    "KA006", "unmatched-quote", _S.UNMATCHED_QUOTE, "A double quote is opened and not closed on the line."
)
MISSING_PARAMETER: Final = Code(
    "KA007",
    "missing-parameter",
    _S.MISSING_PARAMETER,
    "A keyword lacks a word that it cannot do without.  Reading stops at once, with exit status 2.",
    "virtual_server 192.0.2.1 80 {\n    lb_algo\n}",
)
LINE_TOO_LONG: Final = Code("KA008", "line-too-long", _S.GENERAL, "A line holds more than 1023 bytes; it is ignored.")
EMBEDDED_NUL: Final = Code("KA009", "embedded-nul", _S.GENERAL, "A line holds a NUL byte; it is ignored.")
BLOCK_EXTRA_WORDS: Final = Code(
    "KA010", "block-extra-words", _S.GENERAL, "A block that takes no arguments has some; they are ignored."
)
VALUE_BLOCK_WITHOUT_BRACE: Final = Code(
    "KA011",
    "value-block-without-brace",
    _S.NOTE,
    "The opening brace of a block of values is missing; the next closing brace ends it.",
)
BAD_SEQUENCE: Final = Code("KA012", "bad-sequence", _S.GENERAL, "A ~SEQ or ~LST prefix is malformed; the line is ignored.")
BAD_DEFINITION_PARAMETER: Final = Code(
    "KA013", "bad-definition-parameter", _S.GENERAL, "A built-in definition got parameters of the wrong kind or number."
)
EXPANSION_TOO_LONG: Final = Code(
    "KA014",
    "expansion-too-long",
    _S.NOTE,
    "Replacing definitions would make the line longer than 1023 bytes, which is also how a recursive definition ends.",
)
EXPANSION_TOO_DEEP: Final = Code(
    "KA015",
    "expansion-too-deep",
    _S.GENERAL,
    "Definitions and sequences expand to more lines, or nest deeper, than any real file needs.",
)
FILE_NOT_READ: Final = Code(
    "KA016", "file-not-read", _S.NOTE, "A file that is named, matched or included cannot be read and is skipped."
)
STRICT_INCLUDE: Final = Code(
    "KA017",
    "strict-include",
    _S.FILE_NOT_FOUND,
    "An include that was asked to be strict failed.  The configuration is refused: status 6.",
)
MULTIPLE_FILES: Final = Code(
    "KA018", "multiple-files", _S.MULTIPLE_FILES, "The name given with -f matches several files; they are read one after the other."
)
INCLUDE_TOO_DEEP: Final = Code("KA019", "include-too-deep", _S.GENERAL, "Files include each other, or nest too deep.")

# Values ---------------------------------------------------------------------------------------------------------------------
BAD_NUMBER: Final = Code(
    "KA100", "bad-number", _S.INVALID_NUMBER, "Not a number of the kind that the keyword takes; the line is ignored."
)
OUT_OF_RANGE: Final = Code(
    "KA101", "out-of-range", _S.INVALID_NUMBER, "A number outside the range of the keyword; the line is ignored."
)
CLAMPED: Final = Code("KA102", "clamped", _S.GENERAL, "A number outside the range of the keyword; the nearest one allowed is used.")
BAD_BOOLEAN: Final = Code("KA103", "bad-boolean", _S.GENERAL, "One of true, on, yes, false, off, no is expected, in lower case.")
BAD_WORD: Final = Code("KA104", "bad-word", _S.GENERAL, "The word is not one of those that the keyword knows; the line is ignored.")
BAD_ADDRESS: Final = Code("KA105", "bad-address", _S.GENERAL, "Not a numeric IPv4 or IPv6 address.")
BAD_PORT: Final = Code("KA106", "bad-port", _S.INVALID_NUMBER, "A port is a number from 1 to 65535.")
BAD_RANGE: Final = Code("KA107", "bad-address-range", _S.GENERAL, "An address range is malformed, reversed or too large.")
TOO_LONG: Final = Code("KA108", "too-long", _S.GENERAL, "A name is longer than the kernel allows and is cut.")
EXTRA_WORDS: Final = Code("KA109", "extra-words", _S.GENERAL, "The keyword takes fewer words; the line or the surplus is ignored.")
ALREADY_SET: Final = Code(
    "KA110", "already-set", _S.GENERAL, "The keyword may be given once; see its description for which value wins."
)
DEPRECATED: Final = Code("KA111", "deprecated", _S.DEPRECATED, "The keyword still works, and has a successor.")
OLD_SPELLING: Final = Code("KA112", "old-spelling", _S.NOTE, "The keyword is an old spelling of another one.")
EMPTY_BLOCK: Final = Code("KA113", "empty-block", _S.GENERAL, "A block that must hold something is empty.")
BAD_VALUE: Final = Code("KA114", "bad-value", _S.GENERAL, "The value cannot be used; the line is ignored.")
UNRESOLVED: Final = Code("KA115", "unresolved", _S.GENERAL, "A host name cannot be resolved.")
WORD_MISSING: Final = Code("KA116", "word-missing", _S.GENERAL, "The keyword needs a further word; the line is ignored.")
IGNORED_VALUE: Final = Code("KA117", "ignored-value", _S.NOTE, "The value cannot be used and is only reported in the log.")
UNSUPPORTED: Final = Code("KA118", "unsupported", _S.GENERAL, "The keyword belongs to a facility that this program does not have.")

# What fits together -----------------------------------------------------------------------------------------------------------
VS_NO_REAL_SERVERS: Final = Code("KA200", "no-real-servers", _S.GENERAL, "A virtual server without real servers is ignored.")
VS_NO_PROTOCOL: Final = Code("KA201", "no-protocol", _S.GENERAL, "A virtual server by address without `protocol` is taken for UDP.")
VS_NO_SCHEDULER: Final = Code("KA202", "no-scheduler", _S.GENERAL, "A virtual server without `lb_algo` uses wlc.")
VS_NO_METHOD: Final = Code("KA203", "no-forwarding-method", _S.GENERAL, "A virtual server without `lb_kind` uses NAT.")
VS_OPS: Final = Code(
    "KA204", "ops-needs-udp", _S.GENERAL, "One-packet scheduling needs UDP or a firewall mark; it is switched off."
)
VS_ZERO_PORT: Final = Code("KA205", "port-zero", _S.GENERAL, "Port 0 needs persistence, which is switched on.")
VS_FWMARK_PROTOCOL: Final = Code(
    "KA206", "fwmark-protocol", _S.GENERAL, "A service by firewall mark has no protocol; it is ignored."
)
VS_QUORUM: Final = Code(
    "KA207", "quorum-too-high", _S.GENERAL, "The quorum exceeds what all real servers weigh; it is lowered to that."
)
VS_HYSTERESIS: Final = Code("KA208", "hysteresis-too-high", _S.GENERAL, "The hysteresis must be below the quorum; it is lowered.")
VS_HA_SUSPEND: Final = Code("KA209", "ha-suspend-fwmark", _S.GENERAL, "`ha_suspend` watches addresses; a firewall mark has none.")
VS_FAMILY: Final = Code("KA210", "family-mismatch", _S.GENERAL, "Address families differ where only a tunnel may join them.")
VS_SORRY_INHIBIT: Final = Code(
    "KA211", "sorry-inhibit-differs", _S.GENERAL, "A sorry server that is also a real server takes its inhibit setting."
)
VS_PORTS: Final = Code("KA212", "ports-differ", _S.GENERAL, "DR and TUN deliver to the virtual port; the real server's is reset.")
VS_FWMARK_PORT: Final = Code(
    "KA213", "fwmark-port", _S.GENERAL, "Behind a firewall mark only NAT can change the port; it is cleared."
)
VS_GROUP_UNKNOWN: Final = Code(
    "KA214", "group-unknown", _S.NOTE, "The virtual server group does not exist; the virtual server is dropped."
)
VS_GROUP_MIXED: Final = Code(
    "KA215", "group-mixed", _S.NOTE, "A group that mixes families needs tunnels, or the virtual server is dropped."
)
VS_DUPLICATE: Final = Code(
    "KA216", "duplicate-virtual-server", _S.NOTE, "The virtual server exists already; the second one is dropped."
)
RS_DUPLICATE: Final = Code(
    "KA217",
    "duplicate-real-server",
    _S.GENERAL,
    "The virtual server has this real server already; the second one is dropped.",
    "virtual_server 192.0.2.1 80 {\n    real_server 198.51.100.1 80 { }\n    real_server 198.51.100.1 80 { }\n}",
)
CHECK_FAMILY: Final = Code(
    "KA218", "check-family", _S.GENERAL, "`bindto` and `connect_ip` must be of one family; the checker is dropped."
)
CHECK_LINK_LOCAL: Final = Code(
    "KA219", "check-link-local", _S.GENERAL, "A link-local address needs `bind_if`; the checker is dropped."
)
CHECK_INCOMPLETE: Final = Code(
    "KA220", "check-incomplete", _S.GENERAL, "The checker lacks something that it cannot work without; it is dropped."
)
FLAG_ORDER: Final = Code(
    "KA221", "flag-order", _S.GENERAL, "The flag fits another scheduler, or stands before `lb_algo`; it is ignored."
)
SORRY_ORDER: Final = Code(
    "KA222", "sorry-order", _S.GENERAL, "The option of the sorry server stands before or without `sorry_server`."
)
GROUP_EMPTY: Final = Code("KA223", "group-empty", _S.GENERAL, "A group without entries is dropped.")
REFERENCE_UNKNOWN: Final = Code(
    "KA224", "reference-unknown", _S.GENERAL, "The name refers to nothing that is defined before this line."
)
DUPLICATE_NAME: Final = Code("KA225", "duplicate-name", _S.GENERAL, "The name is taken already; this block is skipped.")

# Scripts and files -------------------------------------------------------------------------------------------------------------
SCRIPT_SECURITY: Final = Code(
    "KA300",
    "script-security",
    _S.SECURITY,
    "Scripts are configured and `enable_script_security` is not: whoever can write them rules the host.",
)
SCRIPT_MISSING: Final = Code(
    "KA301", "script-missing", _S.NOTE, "The program does not exist, or its user cannot reach it; it is not run."
)
SCRIPT_UNSAFE: Final = Code(
    "KA302",
    "script-unsafe",
    _S.NOTE,
    "Somebody other than root can change the program or a folder on its path, or its file type is wrong.",
)
SCRIPT_USER: Final = Code("KA303", "script-user", _S.NOTE, "The user or group does not exist; the script is not run.")
SCRIPT_PATH_SEARCH: Final = Code(
    "KA304", "script-path-search", _S.NOTE, "A bare program name was looked up along PATH; write the full path."
)
CHECK_SCRIPT: Final = Code("KA305", "check-script", _S.GENERAL, "MISC_CHECK cannot be run as configured; it is dropped.")
SCRIPT_UNPARSED: Final = Code("KA306", "script-unparsed", _S.NOTE, "The command cannot be split into words; it is ignored.")

# FULLNAT and SYN proxy ----------------------------------------------------------------------------------------------------------
FULLNAT_FWMARK: Final = Code(
    "KA400", "fullnat-fwmark", _S.GENERAL, "FULLNAT is not offered for firewall marks; the virtual server is skipped."
)
FULLNAT_NO_LOCAL: Final = Code(
    "KA401",
    "fullnat-no-local-addresses",
    _S.GENERAL,
    "FULLNAT replaces the client's address by a local one: without any the virtual server is skipped.",
    "virtual_server 192.0.2.1 80 {\n    lb_kind FNAT\n    ...\n}",
)
SYN_PROXY_METHOD: Final = Code(
    "KA402",
    "syn-proxy-method",
    _S.GENERAL,
    "SYN proxy rewrites both directions, which DR and TUN do not show; the virtual server is skipped.",
)
LOCAL_GROUP_UNKNOWN: Final = Code("KA403", "local-group-unknown", _S.GENERAL, "`laddr_group_name` names no local address group.")
DIALECT_NEED: Final = Code(
    "KA404",
    "dialect-need",
    _S.NOTE,
    "The word belongs to a dialect and needs a kernel that is not this one's; the service is not programmed.",
)
DIALECT_NO_EFFECT: Final = Code("KA405", "dialect-no-effect", _S.NOTE, "The word belongs to a dialect and has no effect here.")

# Advice --------------------------------------------------------------------------------------------------------------------------
ADVICE_TIMEOUT: Final = Code(
    "KA900", "timeout-above-delay-loop", _S.ADVICE, "A check may still be waiting when its next round is due."
)
ADVICE_LOCAL_ADDRESS: Final = Code(
    "KA901", "local-address-clash", _S.ADVICE, "A local address is also a virtual or real server: its replies would be mistaken."
)
ADVICE_DPDK: Final = Code(
    "KA902", "dpdk-interface", _S.ADVICE, "The interface named for a local address does not exist; nothing is bound to it."
)
ADVICE_TLS: Final = Code("KA903", "tls-not-verified", _S.ADVICE, "SSL_GET does not verify certificates, as keepalived does not.")


def all_codes() -> list[Code]:
    """Return every code in numerical order."""
    return sorted((value for value in globals().values() if isinstance(value, Code)), key=lambda code: code.ident)
