# SPDX-License-Identifier: BSD-2-Clause
# Stands between hvrun and its back-end (tests/native/late.sh) and passes everything on, but for one kind of request, which
# it holds while the file GO is not there: then the back-end hangs. For each it holds it makes GO.asked.
#
#   late-backend.py LISTEN BACKEND REQUEST GO
import array, os, select, socket, struct, sys, time

listen, backend, held, go = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
FDS = 8


def receive(s, size):
    """Up to size bytes and the descriptors that come with them."""
    fds = array.array('i')
    data, more, _, _ = s.recvmsg(size, socket.CMSG_SPACE(FDS * fds.itemsize))
    for level, kind, content in more:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[:len(content) - len(content) % fds.itemsize])
    return data, fds


def send(s, data, fds):
    more = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
    s.sendall(data[s.sendmsg([data], more):])
    for fd in fds:
        os.close(fd)


def whole(s, size):
    data, fds = b'', array.array('i')
    while len(data) < size:
        part, came = receive(s, size - len(data))
        if not part:
            raise EOFError
        data, fds = data + part, fds + came
    return data, fds


def request(front, back):
    head, fds = whole(front, 12)
    number, _, size = struct.unpack('<III', head)
    payload, more = whole(front, size)
    if number == held and not os.path.exists(go):
        open(go + '.asked', 'w').close()
        while not os.path.exists(go):
            if select.select([front], [], [], 0.02)[0] and not front.recv(1, socket.MSG_PEEK):
                raise EOFError
            time.sleep(0.02)
    send(back, head + payload, fds + more)


def serve(front):
    back = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    back.connect(backend)
    try:
        while True:
            ready = select.select([front, back], [], [])[0]
            if back in ready:
                data, fds = receive(back, 4096)
                if not data:
                    raise EOFError
                send(front, data, fds)
            elif front in ready:
                request(front, back)
    except (EOFError, ConnectionError):
        pass
    back.close()
    front.close()


door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
door.bind(listen)
door.listen(1)
print('ready', flush=True)
while True:
    serve(door.accept()[0])
