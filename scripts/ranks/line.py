"""line.py COUNT FOLDER: the lines between the "hosts" of hosts.sh, 1 Gb/s and 10 ms each way: network devices
vggt1, vggt2, ..., which the caller moves to the hosts as those with the addresses 10.78.0.1, .2, ...; what one sends, the one
with that address gets. While there is a file FOLDER/cut-I, nothing comes from host I or to it. Prints "ready"; runs until its
stdin ends."""

import fcntl
import heapq
import os
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
RATE, DELAY, LOOK = 1e9, 0.010, 0.1  # bits a second; seconds


def main():
    count, folder = int(sys.argv[1]), sys.argv[2]
    line = {}
    for i in range(1, count + 1):
        line[i] = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(line[i], TUNSETIFF, struct.pack("16sH14s", b"vggt%d" % i, IFF_TUN | IFF_NO_PI, b""))
    print("ready", flush=True)
    poll = select.epoll()
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    source = {line[i]: i for i in line}
    for fd in source:
        poll.register(fd, select.EPOLLIN)
    free, waiting, number, looked, cut = dict.fromkeys(line, 0.0), [], 0, 0.0, set()
    while True:
        now = time.monotonic()
        if now - looked > LOOK:
            looked, cut = now, {i for i in line if os.path.exists(f"{folder}/cut-{i}")}
        while waiting and waiting[0][0] <= now:
            _, _, sender, receiver, packet = heapq.heappop(waiting)
            if sender in cut or receiver in cut:
                continue
            try:
                os.write(line[receiver], packet)
            except OSError:  # a full queue, or a device that is down: lost, as on any line
                pass
        rest = waiting[0][0] - now if waiting else LOOK
        for fd, _ in poll.poll(max(0.0, min(rest, LOOK))):
            if fd == 0:
                return
            try:
                packet = os.read(fd, 65536)
            except OSError:
                continue
            if len(packet) < 20 or packet[0] >> 4 != 4 or packet[19] not in line:
                continue
            sender = source[fd]
            free[sender] = max(free[sender], time.monotonic()) + 8 * len(packet) / RATE
            number += 1
            heapq.heappush(waiting, (free[sender] + DELAY, number, sender, packet[19], packet))


main()
