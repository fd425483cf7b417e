"""What VRRP and checkers watch besides each other: scripts, files, processes.

`trackers` decides what a result means (pure); `io` runs scripts and watches files, `processes` counts processes.
"""
