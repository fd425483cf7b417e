"""Every diagnostic that exists, once: its code, its class, what it means.

A number is never used again for something else.  KA0xx: reading text; KA1xx: values; KA2xx: what fits together; KA3xx: scripts and
files; KA4xx: FULLNAT and SYN proxy; KA5xx: VRRP; KA6xx: tracking and BFD; KA9xx: advice, which never changes an exit status.
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
    _S.GENERAL,
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

LINE_WORD: Final = Code(
    "KA119", "line-word", _S.GENERAL, "The word is no option of this kind of line; it is ignored, or the line where that says so."
)
LINE_CONFLICT: Final = Code("KA120", "line-conflict", _S.GENERAL, "Words of one line exclude each other.")
LINE_INCOMPLETE: Final = Code(
    "KA121", "line-incomplete", _S.GENERAL, "The line lacks something that it cannot do without; it is ignored."
)
BAD_PREFIX: Final = Code(
    "KA122", "bad-prefix", _S.GENERAL, "A prefix length is out of range, or has no room for what is asked of it."
)
BAD_NAME: Final = Code(
    "KA123", "bad-name", _S.GENERAL, "A name is in no table of names, or is no possible name.  Tables are those of iproute2."
)
BAD_MAC: Final = Code("KA124", "bad-mac", _S.GENERAL, "Not a MAC address that a VMAC may have; it is ignored.")
OLD_OPTION: Final = Code("KA125", "old-option", _S.GENERAL, "The word still works, and has a successor.")
WORD_SWALLOWED: Final = Code(
    "KA126",
    "word-swallowed",
    _S.ADVICE,
    "keepalived passes over the word that follows `inet` or `inet6` in routes and rules, and so does this program.",
)
TRUTH_IGNORED: Final = Code(
    "KA127", "truth-ignored", _S.ADVICE, "keepalived takes any truth value of this word for true, and so does this program."
)
UNLIKELY_VALUE: Final = Code("KA128", "unlikely-value", _S.GENERAL, "The value is used, although it can hardly be meant.")
NAME_NEEDED: Final = Code("KA129", "name-needed", _S.GENERAL, "The block takes exactly one name; it is skipped.")

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

SCRIPT_DEFAULT_USER: Final = Code(
    "KA307",
    "script-default-user",
    _S.GENERAL,
    "With `enable_script_security` scripts need `script_user`, or an account called keepalived_script.",
)
TRACK_SCRIPT: Final = Code(
    "KA308", "track-script", _S.GENERAL, "A tracked script is missing or unsafe; it is not run, and nothing tracks it."
)
TRACK_SCRIPT_USER: Final = Code(
    "KA309", "track-script-user", _S.GENERAL, "The user of a tracked script does not exist; the script is dropped."
)
KEY_FILE_EXPOSED: Final = Code(
    "KA310", "key-file-exposed", _S.SECURITY, "A file that holds a key can be read by others than its owner."
)

NAMESPACE_UNUSABLE: Final = Code(
    "KA311",
    "namespace-unusable",
    _S.NOTE,
    "The network namespace cannot be entered.  keepalived then ends with status 0, whatever else is wrong; so does the test.",
)

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

# VRRP -----------------------------------------------------------------------------------------------------------------------------
INTERFACE_UNKNOWN: Final = Code(
    "KA500",
    "interface-unknown",
    _S.GENERAL,
    "The interface does not exist, and `dynamic_interfaces` does not say that it may come later.",
)
INTERFACE_REQUIRED: Final = Code(
    "KA501",
    "interface-required",
    _S.BAD_IF,
    "An interface that is named does not exist: nothing of VRRP is looked at further, and a start is refused.",
)
INTERFACE_NEEDED: Final = Code(
    "KA502",
    "interface-needed",
    _S.FATAL,
    "The interface of a line about interfaces, or the default interface of a static address, does not exist; the line is ignored.",
)
INTERFACE_LOOPBACK: Final = Code("KA503", "interface-loopback", _S.GENERAL, "A loopback interface cannot carry adverts.")
INTERFACE_TAKEN: Final = Code(
    "KA504", "interface-taken", _S.GENERAL, "The name for an interface that is to be made is in use; it is ignored."
)
INSTANCE_NO_VRID: Final = Code(
    "KA505",
    "instance-no-vrid",
    _S.GENERAL,
    "An instance needs `virtual_router_id`; a start is refused.",
    "vrrp_instance A {\n    interface eth0\n}",
)
INSTANCE_NO_INTERFACE: Final = Code(
    "KA506",
    "instance-no-interface",
    _S.GENERAL,
    "An instance needs an interface, unless it is a unicast one with a source address; a start is refused.",
)
INSTANCE_FAMILY: Final = Code(
    "KA507",
    "instance-family",
    _S.GENERAL,
    "The address is not of the family that the instance has by what stands before; it is ignored.",
)
INSTANCE_VERSION: Final = Code(
    "KA508", "instance-version", _S.GENERAL, "The version does not fit the family or an earlier version."
)
INSTANCE_VRF: Final = Code("KA509", "instance-vrf", _S.GENERAL, "`vrf` is for unicast without an interface; it is ignored.")
STATE_OWNER: Final = Code(
    "KA510",
    "state-owner",
    _S.GENERAL,
    "In strict mode the address owner, with priority 255, starts as MASTER and nobody else does.",
)
AUTH_IGNORED: Final = Code(
    "KA511",
    "auth-ignored",
    _S.GENERAL,
    "Authentication is not possible in strict mode, with version 3, without a password, or as AH with IPv6; it is ignored.",
)
AUTH_AH_MASTER: Final = Code(
    "KA512",
    "auth-ah-master",
    _S.GENERAL,
    "With AH an instance that does not own the addresses must start as BACKUP to learn the sequence number.",
)
HMAC_KEY: Final = Code("KA513", "hmac-key", _S.GENERAL, "A key of auth_hmac cannot be used; it is ignored.")
HMAC_ACTIVE: Final = Code("KA514", "hmac-active", _S.GENERAL, "`active_key` names no key; auth_hmac is switched off.")
HMAC_REPLACES: Final = Code(
    "KA515", "hmac-replaces", _S.GENERAL, "auth_hmac and authentication exclude each other; authentication is ignored."
)
HMAC_STRICT: Final = Code("KA516", "hmac-strict", _S.GENERAL, "Strict mode enforces auth_hmac.")
UNICAST_NO_PEERS: Final = Code(
    "KA517", "unicast-no-peers", _S.DEPRECATED, "A word about unicast without any peer: multicast is used."
)
UNICAST_FAULT: Final = Code(
    "KA518", "unicast-fault", _S.NOTE, "Unicast without peers, which `unicast_fault_no_peer` makes a fault."
)
UNICAST_STRICT: Final = Code(
    "KA519", "unicast-strict", _S.GENERAL, "Strict mode has no unicast where the interface can multicast; a start is refused."
)
UNICAST_SOURCE: Final = Code(
    "KA520",
    "unicast-source",
    _S.GENERAL,
    "Unicast without an interface needs `unicast_src_ip`, which with IPv6 must not be link-local; a start is refused.",
)
UNICAST_TTL: Final = Code("KA521", "unicast-ttl", _S.GENERAL, "`unicast_ttl` without peers is ignored.")
UNICAST_MULTICAST: Final = Code("KA522", "unicast-multicast", _S.GENERAL, "`mcast_dst_ip` has no use with unicast; it is ignored.")
PEER_DUPLICATE: Final = Code("KA523", "peer-duplicate", _S.GENERAL, "The peer is there already; the line is ignored.")
VMAC_UNICAST: Final = Code(
    "KA524",
    "vmac-unicast",
    _S.GENERAL,
    "A VMAC with unicast needs an interface, and adverts that leave from the interface below it.",
)
VMAC_STRICT: Final = Code(
    "KA525", "vmac-strict", _S.GENERAL, "In strict mode a VMAC has the address of the RFC and sends adverts itself."
)
VMAC_ETHERNET: Final = Code(
    "KA526", "vmac-ethernet", _S.GENERAL, "A VMAC or ipvlan needs an Ethernet interface below it; the instance stays in FAULT."
)
VMAC_NAME: Final = Code(
    "KA527", "vmac-name", _S.GENERAL, "The name for a VMAC or ipvlan belongs to another kind of interface; it is ignored."
)
VMAC_XMIT_BASE: Final = Code("KA528", "vmac-xmit-base", _S.GENERAL, "`vmac_xmit_base` needs `use_vmac`; it is ignored.")
VMAC_PROMOTE: Final = Code(
    "KA529", "vmac-promote", _S.GENERAL, "A VMAC or ipvlan promotes secondaries by itself; `promote_secondaries` is ignored."
)
VMAC_ADDRESS: Final = Code(
    "KA530",
    "vmac-address",
    _S.GENERAL,
    "`use_vmac` is said of an address and, for the same interface, of the instance; it is ignored.",
)
VMAC_SHARED: Final = Code(
    "KA531", "vmac-shared", _S.NOTE, "Two instances outside of one sync group would use one VMAC; the later one stays in FAULT."
)
IPVLAN_ADDRESS: Final = Code(
    "KA532",
    "ipvlan-address",
    _S.GENERAL,
    "An ipvlan with IPv4 needs an address of the family of the instance; the instance stays in FAULT.",
)
NO_MULTICAST: Final = Code(
    "KA533",
    "no-multicast",
    _S.GENERAL,
    "The interface cannot multicast, and there are no unicast peers; the instance stays in FAULT.",
)
FIRST_IPV6: Final = Code(
    "KA534",
    "first-ipv6",
    _S.GENERAL,
    "In strict mode the first IPv6 address of an instance is link-local (RFC 9568 section 5.2.9).",
)
VIP_DUPLICATE: Final = Code("KA535", "vip-duplicate", _S.GENERAL, "The address is there already; the line is ignored.")
VIP_TOO_MANY: Final = Code(
    "KA536", "vip-too-many", _S.GENERAL, "An advert has no room for all addresses; the rest is treated as excluded."
)
VIP_NO_INTERFACE: Final = Code(
    "KA537", "vip-no-interface", _S.GENERAL, "An address of an instance without interface needs `dev`; it is ignored."
)
VIP_NONE: Final = Code(
    "KA538", "vip-none", _S.GENERAL, "An instance of version 3, or in strict mode, needs an address; a start is refused."
)
VIP_NONE_V2: Final = Code("KA539", "vip-none-v2", _S.WARNING, "An instance without an address does nothing useful.")
VIP_NONE_STRICT: Final = Code("KA540", "vip-none-strict", _S.WARNING, "`no_virtual_ipaddress` is not possible in strict mode.")
PREEMPT_OWNER: Final = Code("KA541", "preempt-owner", _S.GENERAL, "`nopreempt` makes no sense with priority 255; it is ignored.")
PREEMPT_MASTER: Final = Code(
    "KA542", "preempt-master", _S.GENERAL, "`nopreempt` and `preempt_delay` need `state BACKUP`; they are ignored."
)
PREEMPT_DELAY: Final = Code(
    "KA543", "preempt-delay", _S.GENERAL, "`preempt_delay` excludes strict mode and `nopreempt`; it is ignored."
)
STRICT_TIMER: Final = Code(
    "KA544", "strict-timer", _S.GENERAL, "Strict mode waits for three adverts; `down_timer_adverts` is ignored."
)
EXPIRED_PREEMPT: Final = Code("KA545", "expired-preempt", _S.GENERAL, "`timer_expired_backup` needs `nopreempt`; it is ignored.")
STRICT_ACCEPT: Final = Code(
    "KA546", "strict-accept", _S.GENERAL, "Strict VRRPv2 accepts no packets to the addresses, unless for their owner (RFC 3768)."
)
STRICT_GARP: Final = Code(
    "KA547",
    "strict-garp",
    _S.GENERAL,
    "Strict mode sends nothing on a lower advert; garp_lower_prio_repeat and _delay are ignored.",
)
STRICT_ADVERT: Final = Code(
    "KA548", "strict-advert", _S.GENERAL, "Strict mode fixes lower_prio_no_advert and higher_prio_send_advert."
)
OWNER_IGNORE: Final = Code(
    "KA549", "owner-ignore", _S.GENERAL, "`owner_ignore_adverts` is for priority 255, which cannot switch it off."
)
ADVERT_INTERVAL: Final = Code(
    "KA550",
    "advert-interval",
    _S.GENERAL,
    "VRRPv2 counts whole seconds up to 255, VRRPv3 hundredths of a second up to 40.95; the interval is rounded.",
)
DUPLICATE_VRID: Final = Code(
    "KA551",
    "duplicate-vrid",
    _S.GENERAL,
    "Two instances of one family use one virtual router id on one interface; a start is refused.",
    "vrrp_instance A { interface eth0 virtual_router_id 1 ... }\nvrrp_instance B { interface eth0 virtual_router_id 1 ... }",
)
SYNC_MEMBER: Final = Code(
    "KA552", "sync-member", _S.GENERAL, "A member of a sync group does not exist, or is in another group already; it is left out."
)
SYNC_EMPTY: Final = Code("KA553", "sync-empty", _S.GENERAL, "A sync group without any member that exists is dropped.")
SYNC_SINGLE: Final = Code("KA554", "sync-single", _S.GENERAL, "A sync group with one member synchronises nothing.")
SYNC_OWNERS: Final = Code(
    "KA555",
    "sync-owners",
    _S.GENERAL,
    "Some members of a sync group own their addresses and others do not: they cannot follow each other.",
)
GARP_GROUP_TAKEN: Final = Code(
    "KA556", "garp-group-taken", _S.GENERAL, "An interface is in one garp_group, and a VMAC in none; it is left out."
)
GARP_GROUP_EMPTY: Final = Code("KA557", "garp-group-empty", _S.GENERAL, "A garp_group without an interval is dropped.")
TRACKED_PROTOCOL: Final = Code(
    "KA558",
    "tracked-protocol",
    _S.GENERAL,
    "Routes and rules that are watched carry protocol 18; write no_track to use another one.",
)
TRACK_GROUP_INTERFACE: Final = Code(
    "KA559", "track-group-interface", _S.GENERAL, "`track_group` watches an interface, which the line does not name; it is ignored."
)
RULE_PRIORITY: Final = Code("KA560", "rule-priority", _S.GENERAL, "A rule without preference gets one, counted down from 16384.")
DELAY_RESET: Final = Code(
    "KA561", "delay-reset", _S.NOTE, "A delay of an interface is longer than the instance waits for its master; it is cut."
)
SYNC_INSTANCE: Final = Code("KA562", "sync-instance", _S.NOTE, "`lvs_sync_daemon` names no instance; it is left out.")
TRACK_GROUP_MEMBER: Final = Code(
    "KA563", "track-group-member", _S.NOTE, "A member of a track_group does not exist; it is left out."
)

# Tracking and BFD -----------------------------------------------------------------------------------------------------------------
TRACK_DUPLICATE: Final = Code(
    "KA600", "track-duplicate", _S.GENERAL, "The instance or group tracks this already; the line is ignored."
)
TRACK_INCOMPLETE: Final = Code(
    "KA601", "track-incomplete", _S.GENERAL, "A block that can be tracked lacks what it is about; it is dropped."
)
TRACK_FILE_PLACE: Final = Code(
    "KA602", "track-file-place", _S.GENERAL, "Changes of the file could not be noticed where it is; it is dropped."
)
TRACK_OWN: Final = Code(
    "KA603", "track-own", _S.GENERAL, "An instance watches its own interface without being told; the line is ignored."
)
TRACK_TWICE: Final = Code("KA604", "track-twice", _S.GENERAL, "A sync group tracks an interface that a member tracks too.")
TRACK_WEIGHT: Final = Code(
    "KA605",
    "track-weight",
    _S.GENERAL,
    "Members of a sync group, and address owners, have a fixed priority; trackers with a weight are left out.",
)
BFD_SLOW: Final = Code("KA610", "bfd-slow", _S.NOTE, "An interval above ten seconds makes a session notice next to nothing.")
BFD_NEIGHBOR: Final = Code(
    "KA611", "bfd-neighbor", _S.GENERAL, "A BFD session needs the numeric address of its neighbour; it is dropped."
)
BFD_FAMILY: Final = Code("KA612", "bfd-family", _S.GENERAL, "Both addresses of a BFD session are of one family; it is dropped.")
BFD_DUPLICATE: Final = Code(
    "KA613",
    "bfd-duplicate",
    _S.GENERAL,
    "Two BFD sessions have one neighbour, and sources that do not tell them apart; the later one is dropped.",
)
BFD_HOPS: Final = Code("KA614", "bfd-hops", _S.GENERAL, "`max_hops` exceeds the TTL of packets; it is lowered.")

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
ADVICE_VRID: Final = Code(
    "KA904",
    "vrid-clash",
    _S.ADVICE,
    "Two instances use one virtual router id on one interface, which routers and switches may confuse.",
)
ADVICE_VIP: Final = Code(
    "KA905", "vip-twice", _S.ADVICE, "Two instances have one address: what one of them removes the other still needs."
)


def all_codes() -> list[Code]:
    """Return every code in numerical order."""
    return sorted((value for value in globals().values() if isinstance(value, Code)), key=lambda code: code.ident)
