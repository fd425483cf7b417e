"""The Internet checksum (RFC 1071), which IPv4, ICMP and VRRP share."""


def internet_checksum(data: bytes, start: int = 0) -> int:
    """Return the checksum of `data`, which counts as padded to an even length; 0 over data that contains its own checksum.

    `start`: a sum to go on from (of a pseudo header, say), any non-negative number of which only the value modulo 65535 counts.
    """
    number = int.from_bytes(data if len(data) % 2 == 0 else data + b"\0", "big") + start
    # 65536 is 1 modulo 65535, so the ones' complement sum of the words is the number itself modulo 65535; 0 only if all are 0.
    remainder = number % 0xFFFF
    return 0xFFFF if number == 0 else (0xFFFF - remainder) % 0xFFFF
