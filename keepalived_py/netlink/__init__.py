"""Netlink as bytes: framing of messages and attributes, and which requests of one send have been answered.  Has no socket.

`ipvs.client` speaks generic netlink with it, `system.rtnetlink` speaks rtnetlink.
"""
