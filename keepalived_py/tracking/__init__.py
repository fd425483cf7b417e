"""What VRRP and checkers watch besides each other: scripts, files, processes, interfaces, BFD sessions.

`trackers` decides what a result means: each tracked object as a pure machine, results in, a finding out (how much a finding counts
for an instance is in `vrrp.priority`).  `io` runs scripts and watches files, `processes` counts processes.
"""
