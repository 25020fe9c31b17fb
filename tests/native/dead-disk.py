#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# A file system with one file, "disk": a disk of hvrun's whose medium answers nothing any more. dead-disk.py MOUNTPOINT GO: after a
# read of its beginning no request is even looked at as long as the file GO does not exist, and GO.asked appears when one
# waits. (What had been looked at could not be interrupted, not even by SIGKILL.) Ends when it is unmounted, or its standard input is.
import ctypes, os, select, struct, sys, time

SIZE = 1 << 20
ROOT, DISK = 1, 2
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, INIT, OPENDIR, RELEASEDIR = 1, 2, 3, 14, 15, 17, 18, 26, 27, 29
INTERRUPT, BATCH_FORGET, DESTROY = 36, 42, 38
DIRECT_IO = 1
ENOENT, ENOSYS = 2, 38

where, go = sys.argv[1:3]
dev = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = 'fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other' % dev
if libc.mount(b'dead', where.encode(), b'fuse.dead', 6, options.encode()):
    sys.exit('mount: ' + os.strerror(ctypes.get_errno()))
print('ready', flush=True)


def attr(node):
    size, mode, links = (SIZE, 0o100666, 1) if node == DISK else (0, 0o40777, 2)
    return struct.pack('<6Q10I', node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)


def answer(unique, body=b'', error=0):
    try:
        os.write(dev, struct.pack('<IiQ', 16 + len(body), -error, unique) + body)
    except OSError:
        pass  # who asked has gone away


def serve(op, unique, node, body):
    if op == INIT:
        answer(unique, struct.pack('<4I2H2I', 7, 31, 0, 0, 16, 12, 65536, 1) + b'\0' * 36)
    elif op == LOOKUP:
        if node == ROOT and body == b'disk\0':
            answer(unique, struct.pack('<4Q2I', DISK, 0, 60, 60, 0, 0) + attr(DISK))
        else:
            answer(unique, error=ENOENT)
    elif op == GETATTR:
        answer(unique, struct.pack('<Q2I', 60, 0, 0) + attr(node))
    elif op in (OPEN, OPENDIR):
        answer(unique, struct.pack('<Q2I', 0, DIRECT_IO, 0))
    elif op == READ:
        _, offset, size = struct.unpack_from('<2QI', body)
        answer(unique, b'd' * min(size, max(0, SIZE - offset)))
    elif op == STATFS:
        answer(unique, struct.pack('<5Q4I', 0, 0, 0, 0, 0, 4096, 255, 4096, 0) + b'\0' * 24)
    elif op in (RELEASE, RELEASEDIR, DESTROY):
        answer(unique)
    elif op not in (FORGET, BATCH_FORGET, INTERRUPT):
        answer(unique, error=ENOSYS)


dead = False
while True:
    ready = select.select([dev, 0], [], [], 0.05)[0]
    if 0 in ready and not os.read(0, 1):
        break
    if dead and os.path.exists(go):
        dead = False
        if os.path.exists(go + '.asked'):
            os.unlink(go + '.asked')
    if dev not in ready:
        continue
    if dead:
        open(go + '.asked', 'w').close()
        time.sleep(0.05)
        continue
    try:
        request = os.read(dev, 1 << 17)
    except OSError:
        break
    length, op, unique, node = struct.unpack_from('<2I2Q', request)
    serve(op, unique, node, request[40:length])
    dead = op == READ and struct.unpack_from('<2Q', request, 40)[1] == 0 and not os.path.exists(go)
