"""What one instance counts, under the names that keepalived's statistics have.

The last three are ours, or SNMP's.  Counters survive a reload.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counters of one instance; all of them only grow."""

    advert_rcvd: int = 0
    advert_sent: int = 0
    become_master: int = 0
    release_master: int = 0
    packet_len_err: int = 0
    advert_interval_err: int = 0
    ip_ttl_err: int = 0
    invalid_type_rcvd: int = 0
    addr_list_err: int = 0
    invalid_authtype: int = 0
    authtype_mismatch: int = 0
    auth_failure: int = 0
    auth_ext_missing: int = 0
    auth_ext_malformed: int = 0
    auth_ext_unknown_key: int = 0
    auth_ext_invalid_hmac: int = 0
    auth_ext_stale: int = 0
    auth_ext_replay: int = 0
    pri_zero_rcvd: int = 0
    pri_zero_sent: int = 0
    chk_err: int = 0
    vers_err: int = 0
    own_lags: int = 0

    def count(self, name: str) -> None:
        """Add one to the counter called `name`."""
        setattr(self, name, getattr(self, name) + 1)
