#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The host's programs for vsock.sh: vsock-host.py SOCKET listen SECONDS | echo N BYTES | hold | nobody PORT."""
import os
import socket
import sys

path, what = sys.argv[1], sys.argv[2]


def client(port):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(200)
    s.connect(path)
    s.sendall(b"CONNECT %d\n" % port)
    return s


def line_of(s):
    line = b""
    while not line.endswith(b"\n"):
        byte = s.recv(1)
        if not byte:
            return line
        line += byte
    return line


if what == "listen":
    # The guest comes twice, before and after a reset of its device.
    server = socket.socket(socket.AF_UNIX)
    server.settimeout(float(sys.argv[3]))
    server.bind(path + "_700")
    server.listen()
    print("listening", flush=True)
    for turn in range(2):
        s, _ = server.accept()
        s.settimeout(200)
        if line_of(s) != b"hello from the guest\n":
            sys.exit("other words came")
        s.sendall(b"hello from the host\n")
        if s.recv(1):
            sys.exit("more came")
        s.close()
elif what == "echo":
    count, size = int(sys.argv[3]), int(sys.argv[4])
    socks = [client(1234) for _ in range(count)]
    names = set()
    for s in socks:
        line = line_of(s)
        if not line.startswith(b"OK ") or line in names:
            sys.exit("instead of OK: %r" % line)
        names.add(line)
    # All at once, in pieces that wait for their echo.
    for at in range(0, size, 3000):
        pieces = [os.urandom(min(3000, size - at)) for _ in socks]
        for s, piece in zip(socks, pieces):
            s.sendall(piece)
        for s, piece in zip(socks, pieces):
            got = b""
            while len(got) < len(piece):
                more = s.recv(65536)
                if not more:
                    sys.exit("the end came early")
                got += more
            if got != piece:
                sys.exit("other bytes came back")
    for n, s in enumerate(socks):
        if n % 2:
            s.shutdown(socket.SHUT_WR)
            if s.recv(1):
                sys.exit("more came")
        s.close()
elif what == "hold":
    # A connection that is open until the machine takes it away; the word is for those who wait for it.
    s = client(1234)
    if not line_of(s).startswith(b"OK "):
        sys.exit("no OK")
    s.sendall(b"held")
    if s.recv(4) != b"held":
        sys.exit("no echo")
    print("held", flush=True)
    if s.recv(1):
        sys.exit("more came")
elif what == "nobody":
    if line_of(client(int(sys.argv[3]))):
        sys.exit("a line came")
print("fine", flush=True)
