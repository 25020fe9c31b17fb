# SPDX-License-Identifier: BSD-2-Clause
# Hostile front ends of hvrun backend rng (tests/native/serve.sh): prints a line for each case. What breaks the
# protocol loses its connection with words that say why, and the next one is served. A third word, `more`: other cases.
import array, fcntl, mmap, os, socket, struct, sys, time, traceback

path, said = sys.argv[1], sys.argv[2]
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM, NUM, ADDR, BASE, GET_BASE, KICK, CALL, ERR = 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 14
GET_PROTO, SET_PROTO, QUEUES, ENABLE, GET_CONFIG = 15, 16, 17, 18, 24
PROTO, V1 = 1 << 30, 1 << 32
SIZE, USER, GUEST = 1 << 20, 0x7f0000000000, 0x100000
DESC, AVAIL, USED, BUFFER = 0, 0x1000, 0x2000, 0x8000


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(60)
    s.connect(path)
    return s


def send(s, request, payload=b'', fds=(), flags=1, length=None):
    head = struct.pack('<III', request, flags, len(payload) if length is None else length)
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    s.sendmsg([head + payload], anc)


def receive(s, size):
    data = b''
    while len(data) < size:
        got = s.recv(size - len(data))
        if not got:
            raise EOFError('it hung up')
        data += got
    return data


def ask(s, request, payload=b'', fds=(), flags=1):
    send(s, request, payload, fds, flags)
    number, mark, length = struct.unpack('<III', receive(s, 12))
    assert number == request and mark == 5, (number, mark)
    return receive(s, length)


def u64(s, request):
    return struct.unpack('<Q', ask(s, request))[0]


class Memory:
    def __init__(self, size=SIZE, seals=fcntl.F_SEAL_SHRINK):
        self.fd = os.memfd_create('guest', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)
        self.map = mmap.mmap(self.fd, size)

    def table(self, start=GUEST, size=SIZE, user=USER, offset=0, count=1, more=b''):
        return struct.pack('<II', count, 0) + struct.pack('<QQQQ', start, size, user, offset) + more

    def put(self, at, form, *values):
        struct.pack_into('<' + form, self.map, at, *values)

    def get(self, at, form):
        return struct.unpack_from('<' + form, self.map, at)


def ready(s, memory, features=V1 | PROTO):
    """Up to where rings are set up; acknowledgements are agreed on."""
    assert u64(s, GET_FEATURES) & (V1 | PROTO) == V1 | PROTO
    proto = u64(s, GET_PROTO)
    assert proto == 1 | 8 | 512, proto
    send(s, SET_PROTO, struct.pack('<Q', proto))
    assert u64(s, QUEUES) == 1
    send(s, SET_OWNER)
    send(s, SET_FEATURES, struct.pack('<Q', features))
    told(s, SET_MEM, memory.table(), [memory.fd])


def told(s, request, payload=b'', fds=()):
    assert struct.unpack('<Q', ask(s, request, payload, fds, 9)) == (0,)


def ring(s, num=8, base=0, desc=USER + DESC, avail=USER + AVAIL, used=USER + USED, call=None):
    """Starts ring 0; its doorbell, and who hears of it."""
    kick = os.eventfd(0, os.EFD_NONBLOCK)
    call = os.eventfd(0, os.EFD_NONBLOCK) if call is None else call
    send(s, NUM, struct.pack('<II', 0, num))
    send(s, BASE, struct.pack('<II', 0, base))
    send(s, ADDR, struct.pack('<IIQQQQ', 0, 0, desc, used, avail, 0))
    send(s, KICK, struct.pack('<Q', 0), [kick])
    send(s, CALL, struct.pack('<Q', 0), [call])
    send(s, ENABLE, struct.pack('<II', 0, 1))
    return kick, call


def offer(memory, index, length=64, at=BUFFER, flags=2):
    """One buffer for random bytes, as entry @index of the available ring."""
    slot = index % 8
    memory.put(DESC + 16 * slot, 'QIHH', GUEST + at, length, flags, 0)
    memory.put(AVAIL + 4 + 2 * slot, 'H', slot)
    memory.put(AVAIL + 2, 'H', index + 1 & 0xffff)


def until(what):
    for _ in range(6000):
        if what():
            return
        time.sleep(0.01)
    raise OSError('that did not come to pass')


def rang(fd):
    try:
        return os.eventfd_read(fd)
    except BlockingIOError:
        return 0


def serves(s, memory, kick, call, index):
    memory.map[BUFFER:BUFFER + 64] = bytes(64) # before it is offered: the device may be looking
    offer(memory, index)
    os.eventfd_write(kick, 1)
    until(lambda: memory.get(USED + 2, 'H')[0] == index + 1 & 0xffff)
    until(lambda: rang(call))
    assert memory.map[BUFFER:BUFFER + 64] != bytes(64), 'no random bytes'
    assert memory.get(USED + 4 + 8 * (index % 8), 'II') == (index % 8, 64)


def case(name, fn):
    try:
        fn()
        print('ok native-serve-' + name)
    except Exception as error:
        traceback.print_exc()
        print('not ok native-serve-%s: %r' % (name, error))


def words():
    return open(said).read().split('\n')


def refused(name, text, fn):
    """What @fn does to a fresh session ends it, and @text is why."""
    def run():
        before = len(words())
        s = connect()
        try:
            fn(s)
            while s.recv(4096):
                pass
        except (BrokenPipeError, ConnectionResetError, EOFError):
            pass
        until(lambda: any(text in line and line.startswith('hvrun: ') for line in words()[before - 1:]))
        s.close()
    case('hostile-' + name, run)


def in_use(then):
    """Does @then to a session with a ring in use."""
    def run(s):
        memory = Memory()
        ready(s, memory)
        serves(s, memory, *ring(s), 0)
        then(s, memory)
    return run


def good():
    memory = Memory()
    s = connect()
    ready(s, memory)
    kick, call = ring(s)
    for index in range(20):
        serves(s, memory, kick, call, index)
    # Memory that changes under a ring in use: it goes on in the new one.
    other = Memory()
    other.map[:] = memory.map[:]
    told(s, SET_MEM, other.table(), [other.fd])
    for index in range(20, 40):
        serves(s, other, kick, call, index)
    # Not enabled: it rests, and goes on.
    told(s, ENABLE, struct.pack('<II', 0, 0))
    offer(other, 40)
    os.eventfd_write(kick, 1)
    assert struct.unpack('<Q', ask(s, GET_FEATURES))[0] & V1
    assert other.get(USED + 2, 'H')[0] == 40
    told(s, ENABLE, struct.pack('<II', 0, 1))
    until(lambda: other.get(USED + 2, 'H')[0] == 41)
    # Stopped, and started where it was.
    assert struct.unpack('<II', ask(s, GET_BASE, struct.pack('<II', 0, 0))) == (0, 41)
    rang(call)
    kick, call = ring(s, base=41)
    for index in range(41, 60):
        serves(s, other, kick, call, index)
    s.close()


def broken_driver():
    """A guest that breaks its ring: said, the front end is told by its eventfd, and may begin anew."""
    memory = Memory()
    s = connect()
    ready(s, memory)
    err = os.eventfd(0, os.EFD_NONBLOCK)
    told(s, ERR, struct.pack('<Q', 0), [err])
    kick, call = ring(s)
    serves(s, memory, kick, call, 0)
    offer(memory, 1, at=SIZE)
    os.eventfd_write(kick, 1)
    until(lambda: rang(err))
    assert any('guest driver error: queue 0: buffer outside RAM' in line for line in words())
    assert struct.unpack('<II', ask(s, GET_BASE, struct.pack('<II', 0, 0)))[0] == 0
    told(s, SET_FEATURES, struct.pack('<Q', V1 | PROTO))
    memory.put(AVAIL + 2, 'H', 0)
    memory.put(USED + 2, 'H', 0)
    kick, call = ring(s)
    serves(s, memory, kick, call, 0)
    s.close()


def blocking_call(s):
    """An eventfd for interrupts that makes who writes to it wait."""
    memory = Memory()
    ready(s, memory)
    kick, call = ring(s)
    serves(s, memory, kick, call, 0)
    os.eventfd_write(call, 0xfffffffffffffffe)
    fcntl.fcntl(call, fcntl.F_SETFL, fcntl.fcntl(call, fcntl.F_GETFL) & ~os.O_NONBLOCK)
    offer(memory, 1)
    os.eventfd_write(kick, 1)


def flood(s):
    for _ in range(100000):
        send(s, GET_FEATURES)


def half(s):
    s.sendall(struct.pack('<II', 1, 1))
    s.shutdown(socket.SHUT_WR)


def with_memory(seals=fcntl.F_SEAL_SHRINK, **words_of_table):
    def run(s):
        memory = Memory(seals=seals)
        assert u64(s, GET_FEATURES)
        send(s, SET_FEATURES, struct.pack('<Q', V1 | PROTO))
        send(s, SET_MEM, memory.table(**words_of_table), [memory.fd] * words_of_table.get('count', 1))
    return run


def with_ring(**words_of_ring):
    def run(s):
        memory = Memory()
        ready(s, memory)
        ring(s, **words_of_ring)
    return run


two = struct.pack('<QQQQ', GUEST + SIZE // 2, SIZE, USER + SIZE, 0)
file = os.open(said, os.O_RDONLY)
if sys.argv[3:] == ['more']:
    refused('flood', 'does not take its answers', flood)
    refused('unsealed', 'sealed against shrinking', with_memory(seals=fcntl.F_SEAL_GROW))
    case('good-after-flood', good)
    sys.exit()
case('good', good)
case('broken-driver', broken_driver)
# No more than there are complaints that a back-end tells in its life.
refused('version', 'another version', lambda s: send(s, GET_FEATURES, flags=2))
refused('unknown', 'what was not agreed on', lambda s: send(s, 33))
refused('length', 'wrong length', lambda s: send(s, SET_FEATURES, bytes(4)))
refused('descriptors', 'too many descriptors', lambda s: send(s, SET_OWNER, fds=[file]))
refused('table', 'another length than it says', with_memory(count=2))
refused('overlap', 'cannot be mapped', with_memory(count=2, more=two))
refused('short-file', 'ends too early', with_memory(size=2 * SIZE))
refused('features', 'features that were not offered', lambda s: send(s, SET_FEATURES, struct.pack('<Q', V1 | 1 << 40)))
refused('outside', 'outside of the memory', with_ring(used=USER + SIZE))
refused('size', 'queue size is not a power of two', with_ring(num=7))
refused('doorbell', 'nothing that can be waited for', lambda s: send(s, KICK, struct.pack('<Q', 0), [file]))
refused('again', 'a ring that is in use', in_use(lambda s, memory: send(s, NUM, struct.pack('<II', 0, 4))))
refused('index', 'a ring that the device does not have', lambda s: send(s, NUM, struct.pack('<II', 200, 8)))
refused('half', 'hung up within a message', half)
refused('blocking-call', 'makes the eventfd of an interrupt wait', blocking_call)
case('good-again', good)
