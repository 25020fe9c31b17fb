# SPDX-License-Identifier: BSD-2-Clause
# Hostile clients of a control socket (tests/native/control.sh): prints a line for each case.
import array, json, os, socket, sys, time

path = sys.argv[1]


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(60)
    for _ in range(6000):
        try:
            s.connect(path)
            return s
        except BlockingIOError:  # as many wait to be let in as the kernel keeps
            time.sleep(0.01)
    raise OSError('nobody is let in any more')


def line(s):
    data = b''
    while not data.endswith(b'\n'):
        got = s.recv(1)
        if not got:
            return None
        data += got
    return json.loads(data)


def client():
    s = connect()
    assert line(s)['control'] == 1
    return s


def let_in():
    """A client that is served, as soon as the loop knows that others have left."""
    for _ in range(600):
        s = connect()
        if line(s).get('control') == 1:
            return s
        time.sleep(0.1)
    raise OSError('nobody is served any more')


def ask(s, text):
    s.sendall(text + b'\n')
    return line(s)


def case(name, fn):
    try:
        fn()
        print('ok control-hostile-' + name)
    except Exception as error:
        print('not ok control-hostile-%s: %r' % (name, error))


def refused(text, words):
    def run():
        s = client()
        answer = ask(s, text)
        assert answer['ok'] is False and words in answer['error'], answer
        assert ask(s, b'{"command":"status","id":7}')['id'] == 7
    return run


def too_long():
    s = client()
    s.sendall(b'x' * 65536)
    assert '65536 bytes' in line(s)['error']
    assert s.recv(1) == b''


def just_fits():
    s = client()
    text = b'{"command":"status","id":"' + b'i' * 65000 + b'"}'
    assert len(ask(s, text)['id']) == 65000


def byte_by_byte():
    s = client()
    for b in b'{"command":"status"}\n':
        s.send(bytes([b]))
    assert line(s)['ok'] is True


def half_a_line():
    s = client()
    s.sendall(b'{"command":"sta')
    s.close()


def many_in_one():
    s = client()
    s.sendall(b'{"command":"status"}\n' * 100)
    for _ in range(100):
        assert line(s)['ok'] is True


def never_reads():
    s = client()
    s.settimeout(2)
    sent = 0
    try:
        for _ in range(1500):
            s.sendall(b'{"command":"report"}\n')
            sent += 1
    except OSError:
        pass
    t = client()
    assert ask(t, b'{"command":"status"}')['ok'] is True


def too_many():
    held = [client() for _ in range(8)]
    s = connect()
    assert 'clients already' in line(s)['error']
    held[0].close()
    let_in()


def thousands():
    for _ in range(1000):
        connect().close()
    assert ask(let_in(), b'{"command":"status"}')['ok'] is True


def descriptors():
    s = client()
    for _ in range(500):
        fds = [os.open('/dev/null', os.O_RDONLY) for _ in range(3)]
        s.sendmsg([b'{"command":"status"}\n'],
                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])
        for fd in fds:
            os.close(fd)
        assert line(s)['ok'] is True


def no_regular_file():
    s = client()
    fd = os.open('/dev/null', os.O_RDWR)
    s.sendmsg([b'{"command":"core","id":1}\n'],
              [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])
    answer = line(s)
    assert answer['id'] == 1, answer


case('no-json', refused(b'hello', ''))
case('no-object', refused(b'[1]', 'JSON object'))
case('no-command', refused(b'{}', '"command"'))
case('command-is-a-number', refused(b'{"command":5}', '"command"'))
case('unknown-command', refused(b'{"command":"frobnicate"}', 'no such command'))
case('args-is-a-list', refused(b'{"command":"status","args":[]}', '"args"'))
case('deep', refused(b'[' * 60000, ''))
case('utf8', refused(b'{"command":"\xff\xfe"}', ''))
case('twice', refused(b'{"command":"status","command":"stop"}', 'duplicate'))
case('nul', refused(b'{"command":"sta\\u0000tus"}', ''))
case('core-without-file', refused(b'{"command":"core"}', 'descriptor'))
case('sysrq-number', refused(b'{"command":"sysrq","args":{"key":5}}', 'one letter'))
case('too-long', too_long)
case('just-fits', just_fits)
case('byte-by-byte', byte_by_byte)
case('half-a-line', half_a_line)
case('many-in-one', many_in_one)
case('never-reads', never_reads)
case('too-many', too_many)
case('thousands', thousands)
case('descriptors', descriptors)
case('core-to-no-file', no_regular_file)
