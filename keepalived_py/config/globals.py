"""The `global_defs` block and the few root keywords that concern the daemon as a whole.

`None` means "not configured": the reader of the field documents what follows then.  Sizes are bytes unless the name says otherwise.
"""

from dataclasses import dataclass, field

from keepalived_py.addresses import Address
from keepalived_py.config.scripts import Fifo, Script, User
from keepalived_py.units import Micro, Seconds, micro


@dataclass(frozen=True, slots=True)
class LvsTimeouts:
    """IPVS connection timeouts in seconds; 0 keeps what the kernel has."""

    tcp: Seconds = Seconds(0)
    tcpfin: Seconds = Seconds(0)
    udp: Seconds = Seconds(0)


@dataclass(frozen=True, slots=True)
class LvsSyncDaemon:
    """The IPVS connection synchronisation daemon; without `instance` both its master and backup threads run."""

    interface: str
    instance: str | None = None
    id: int | None = None
    maxlen: int | None = None
    port: int | None = None
    ttl: int | None = None
    group: Address | None = None


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where alerts are handed in."""

    address: Address
    port: int = 25


@dataclass(frozen=True, slots=True)
class ProcessTuning:
    """Scheduling and memory of one process.  `rt_priority` None: SCHED_OTHER; `rlimit_rttime` in microseconds."""

    priority: int = 0
    no_swap: bool = False
    rt_priority: int | None = None
    cpu_affinity: tuple[int, ...] = ()
    rlimit_rttime: int = 10_000
    process_name: str | None = None


@dataclass(frozen=True, slots=True)
class VrrpDefaults:
    """Defaults that every VRRP instance inherits."""

    mcast_group4: Address = field(default=Address(b"\xe0\x00\x00\x12"))
    mcast_group6: Address = field(default=Address(b"\xff\x02" + bytes(13) + b"\x12"))
    garp_master_delay: Seconds = Seconds(5)
    garp_master_repeat: int = 5
    garp_master_refresh: Seconds = Seconds(0)
    garp_master_refresh_repeat: int = 1
    garp_lower_prio_delay: Seconds | None = None
    garp_lower_prio_repeat: int | None = None
    down_timer_adverts: int = 3
    garp_interval: Micro = Micro(0)
    gna_interval: Micro = Micro(0)
    min_garp: bool = False
    garp_extra_if: Seconds = Seconds(0)
    garp_extra_if_all: bool = False
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    version: int = 2
    iptables: tuple[str, ...] | None = None
    ipsets: tuple[str, ...] | None = None
    check_unicast_src: bool = False
    skip_check_adv_addr: bool = False
    strict: bool = False
    v3_checksum_as_v2: bool = False
    notify_priority_changes: bool = False
    rx_bufs_policy: tuple[str, ...] = ()
    rx_bufs_multiplier: int = 3
    startup_delay: Micro = Micro(0)
    delay_after_boot: Micro = Micro(0)
    log_unknown_vrids: bool = False
    owner_ignore_adverts: bool = False


@dataclass(frozen=True, slots=True)
class Nftables:
    """Names and priorities of the nftables objects that the daemon makes.  `table` None: made only where needed."""

    table: str | None = None
    priority: int = -1
    ifindex: bool = False
    counters: bool = False
    ipvs_table: str | None = None
    ipvs_priority: int = -1
    ipvs_start_fwmark: int = 1000


@dataclass(frozen=True, slots=True)
class Snmp:
    """SNMP switches; `socket` is the AgentX address of the master agent."""

    socket: str | None = None
    traps: bool = False
    vrrp: bool = False
    rfcv2: bool = False
    rfcv3: bool = False
    checker: bool = False
    vs_stats_update_interval: Micro = micro(5)
    rs_stats_update_interval: Micro | None = None


@dataclass(frozen=True, slots=True)
class ReceiveBuffer:
    """Size of a netlink receive buffer (None: the kernel's default), with `force` beyond net.core.rmem_max."""

    size: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class GlobalDefs:
    """Everything that is configured for the daemon as a whole."""

    router_id: str | None = None
    net_namespace: str | None = None
    net_namespace_ipvs: str | None = None
    namespace_with_ipsets: bool = False
    use_pid_dir: bool = False
    instance: str | None = None
    child_wait_time: Seconds = Seconds(5)
    linkbeat_use_polling: bool = False

    process_names: bool = False
    process_name: str | None = None
    vrrp_process: ProcessTuning = ProcessTuning()
    checker_process: ProcessTuning = ProcessTuning()
    bfd_process: ProcessTuning = ProcessTuning()
    max_auto_priority: int = 0
    min_auto_priority_delay: int = 1_000_000
    umask: int | None = None

    notification_email: tuple[str, ...] = ()
    notification_email_from: str | None = None
    smtp_server: MailServer | None = None
    smtp_helo_name: str | None = None
    smtp_connect_timeout: Seconds = Seconds(30)
    smtp_alert: bool | None = None
    smtp_alert_vrrp: bool | None = None
    smtp_alert_checker: bool | None = None
    no_email_faults: bool = False
    no_checker_emails: bool = False
    checker_log_all_failures: bool = False
    rs_init_notifies: bool = False

    script_user: User | None = None
    enable_script_security: bool = False
    use_symlink_paths: bool = False
    set_supplementary_groups: bool = False
    startup_script: Script | None = None
    startup_script_timeout: Seconds = Seconds(10)
    shutdown_script: Script | None = None
    shutdown_script_timeout: Seconds = Seconds(10)
    notify_fifo: Fifo | None = None
    vrrp_notify_fifo: Fifo | None = None
    lvs_notify_fifo: Fifo | None = None
    fifo_write_vrrp_states_on_reload: bool = False

    dynamic_interfaces: bool = False
    allow_if_changes: bool = False
    default_interface: str | None = None
    disable_local_igmp: bool = False
    vrrp: VrrpDefaults = VrrpDefaults()
    vmac_prefix: str | None = None
    vmac_addr_prefix: str | None = None
    nftables: Nftables = Nftables()

    lvs_timeouts: LvsTimeouts = LvsTimeouts()
    lvs_flush: bool = False
    lvs_flush_on_stop: str | None = None
    """None: delete what is ours entry by entry; ``all``: one flush; ``VS``: delete services without their servers first."""
    lvs_sync_daemon: LvsSyncDaemon | None = None

    snmp: Snmp = Snmp()
    enable_dbus: bool = False
    dbus_service_name: str | None = None
    dbus_no_interface_name: str | None = None

    vrrp_netlink_cmd_rcv_bufs: ReceiveBuffer = ReceiveBuffer()
    vrrp_netlink_monitor_rcv_bufs: ReceiveBuffer = ReceiveBuffer()
    lvs_netlink_cmd_rcv_bufs: ReceiveBuffer = ReceiveBuffer()
    lvs_netlink_monitor_rcv_bufs: ReceiveBuffer = ReceiveBuffer()
    process_monitor_rcv_bufs: ReceiveBuffer = ReceiveBuffer()

    random_seed: int | None = None
    reload_check_config: str | None = None
    """None: off; empty: on, without a log file; else the file that the diagnostics of a refused reload are appended to."""
    reload_time_file: str | None = None
    reload_repeat: bool = False
    reload_date_specified: bool = False
    reload_file: str | None = None
    """None: off; empty: the default path beside the pid file."""
    config_save_dir: str | None = None
    tmp_config_directory: str | None = None
    data_use_instance: bool = False
    json_version: int = 1
    iproute_usr_dir: str | None = None
    iproute_etc_dir: str | None = None
    state_dump_file: str | None = None
    stats_dump_file: str | None = None
    json_dump_file: str | None = None

    ipvs_module: str | None = None
    ipvs_module_options: tuple[str, ...] = ()
    ip_vs_sysctl: tuple[tuple[str, str], ...] = ()
    checker_processes: int = 1
