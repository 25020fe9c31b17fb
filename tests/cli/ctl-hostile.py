# SPDX-License-Identifier: BSD-2-Clause
# Machines in the hands of an enemy, and `hvrun ctl` (tests/cli/ctl.sh): prints a line for each case.
import array, concurrent.futures, json, os, pty, select, signal, socket, subprocess, sys, termios, threading, time

hvrun, folder = sys.argv[1:3]
GREETING = b'{"hvrun":"0.1.0","control":1}\n'
LIMIT = 100  # seconds: far more than any case takes, far less than for ever
cases = concurrent.futures.ThreadPoolExecutor(12)  # most of them wait
names = iter(range(1000))


class Machine:
    """Runs @serve with the one connection that comes, in a thread; without, nobody is let in."""

    def __init__(self, serve, backlog=8):
        self.path = os.path.join(folder, 'ctl-%d' % next(names))
        self.listen = socket.socket(socket.AF_UNIX)
        self.listen.bind(self.path)
        self.listen.listen(backlog)
        self.over = threading.Event()  # the client has gone
        if serve:
            threading.Thread(target=self.run, args=(serve,), daemon=True).start()

    def run(self, serve):
        s, _ = self.listen.accept()
        try:
            serve(s, self)
        except OSError:
            pass
        s.close()


def ctl(machine, *words, wait='60'):
    begun = time.monotonic()
    try:
        run = subprocess.run([hvrun, 'ctl', '--wait', wait, machine.path, *words], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
    finally:
        machine.over.set()
    return run.returncode, run.stdout, run.stderr, time.monotonic() - begun


def tame(data):
    """Nothing in it steers a terminal."""
    assert all(c == 10 or 32 <= c < 127 for c in data), data[:200]


def case(name, fn):
    def run():
        try:
            fn()
            said = 'ok ctl-hostile-' + name
        except Exception as error:
            said = 'not ok ctl-hostile-%s: %r' % (name, error)
        sys.stdout.write(said + '\n')
        sys.stdout.flush()
    cases.submit(run)


def refused(name, words, serve, *command):
    """It is given up with 71 and one line that says @words."""
    def run():
        wait = '1' if b'not answer' in words else '60'
        status, out, err, _ = ctl(Machine(serve), *(command or ['status']), wait=wait)
        assert status == 71 and out == b'', (status, out[:200], err[:200])
        assert err.count(b'\n') == 1 and err.startswith(b'hvrun: ctl ') and words in err, err[:300]
        tame(err)
    case(name, run)


def silent(s, machine):
    machine.over.wait()


def greets(then):
    def serve(s, machine):
        s.sendall(GREETING)
        then(s, machine)
    return serve


def says(*lines):
    """Greets, waits for the request, and says @lines."""
    def then(s, machine):
        s.recv(65536)
        for line in lines:
            s.sendall(line)
        machine.over.wait()
    return greets(then)


def dribble(s, machine):
    while not machine.over.wait(0.1):
        s.sendall(b' ')


def flood(s, machine):
    while not machine.over.is_set():
        s.sendall(b'"' * 65536)


refused('silent', b'does not answer, for 1 seconds', silent)
refused('greets-only', b'does not answer', greets(silent))
refused('byte-by-byte', b'does not answer', dribble)
refused('answers-byte-by-byte', b'does not answer', greets(dribble))
refused('endless-line', b'one too long', greets(flood))
refused('never-reads', b'does not answer', greets(silent), 'resize', '\x01' * 100000, '1M')
refused('core-never-written', b'does not answer', greets(silent), 'core', os.path.join(folder, 'core'))
refused('hangs-up', b'has gone', lambda s, machine: None)
refused('greeting-no-json', b'no JSON object', lambda s, machine: (s.sendall(b'SSH-2.0\n'), silent(s, machine)))
refused('greeting-of-others', b'no hvrun', lambda s, machine: (s.sendall(b'{}\n'), silent(s, machine)))
refused('version', b'speaks version 9223372036854775807 ',
        lambda s, machine: (s.sendall(b'{"control":9223372036854775807}\n'), silent(s, machine)))
refused('list', b'no JSON object', says(b'[]\n'))
refused('nul', b'no JSON object', says(b'{"ok":true,"result":{"a":"\\u0000"}}\n'))
refused('twice', b'no JSON object', says(b'{"ok":false,"ok":true}\n'))
refused('not-ok', b'refused', says(b'{"ok":false}\n'))
refused('no-words', b'status: refused', says(b'{"ok":false,"error":""}\n'))
refused('neither', b'not one of hvrun', says(b'{"ok":1}\n'))
refused('result-no-object', b'not one of hvrun', says(b'{"ok":true,"result":"text"}\n'))
refused('escapes-in-an-error', b'\\x1b]0;mine',
        says(json.dumps({'ok': False, 'error': '\x1b]0;mine\x07\x9b2J\nhvrun: all is well'}).encode() + b'\n'))
refused('long-error', b'...\n', says(json.dumps({'ok': False, 'error': 'x' * 100000}).encode() + b'\n'))
# 2,000 levels and a number each: with indents it would be 2,000 times as long as it came.
refused('deep', b'too deep', says(b'{"ok":true,"result":{"a":' + b'[1,' * 2000 + b'1' + b']' * 2000 + b'}}\n'))


def full_machine():
    """Nobody is let in, and as many wait as the kernel keeps."""
    machine = Machine(None, backlog=0)
    held = []
    while True:  # until the kernel keeps no more
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        held.append(s)
        try:
            s.connect(machine.path)
        except BlockingIOError:
            return machine, held


def nobody_lets_in():
    machine, held = full_machine()
    status, out, err, _ = ctl(machine, 'status', wait='1')
    assert (status, out) == (71, b'') and b'does not answer' in err, (status, out, err)
    assert held


def stopped_while_nobody_lets_in():
    """Ctrl-Z and fg while it waits to be let in: it waits on."""
    machine, held = full_machine()
    run = subprocess.Popen([hvrun, 'ctl', '--wait', '3', machine.path, 'status'], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(5):  # some of them find it waiting; each begins its three seconds anew
        time.sleep(0.4)
        if run.poll() is not None:
            break
        run.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        run.send_signal(signal.SIGCONT)
    out, err = run.communicate(timeout=LIMIT)
    assert (run.returncode, out) == (71, b'') and b'does not answer' in err, (run.returncode, out, err)
    assert held


HARM = {'a\x9b31m': 'x\x7f\x1b[2J\u202e\u200b\U000e0041\u00e4', 'n': [1.5, None, True]}


def tame_results():
    line = json.dumps({'ok': True, 'result': HARM}, ensure_ascii=False).encode() + b'\n'
    status, out, err, _ = ctl(Machine(says(line)), 'status')
    assert (status, err) == (0, b''), (status, err)
    tame(out)
    assert json.loads(out) == HARM, out


def tame_events():
    line = json.dumps(HARM, ensure_ascii=False).encode() + b'\n'
    machine = Machine(says(b'{"ok":true}\n' + line + line + b'[]\n'))
    status, out, err, _ = ctl(machine, 'events')
    assert status == 71 and b'no JSON object' in err, (status, err)
    tame(out + err)
    assert [json.loads(one) for one in out.split(b'\n')[:-1]] == [HARM, HARM], out


def rare_events():
    """Silence is no fault where nothing has to come; the end of the machine is the end."""
    def then(s, machine):
        s.recv(65536)
        s.sendall(b'{"ok":true}\n')
        time.sleep(16)
        s.sendall(b'{"event":"paused"}\n')
    status, out, err, took = ctl(Machine(greets(then)), 'events', wait='15')
    assert (status, out, err) == (0, b'{"event":"paused"}\n', b'') and took > 15, (status, out, err, took)


def slow_core():
    """A core may take long, as long as its file changes."""
    def then(s, machine):
        fd = array.array('i')
        _, more, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(4))
        fd.frombytes(more[0][2])
        for _ in range(20):
            os.write(fd[0], b'part')
            time.sleep(0.8)
        s.sendall(b'{"ok":true,"result":{"bytes_written":80}}\n')
        machine.over.wait()
    status, out, err, took = ctl(Machine(greets(then)), 'core', os.path.join(folder, 'slow-core'), wait='15')
    assert (status, err) == (0, b'') and b'80' in out and took > 15, (status, out, err, took)


def console_never_reads():
    """Who has typed more than the machine takes can leave all the same."""
    machine = Machine(says(b'{"ok":true}\n'))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(hvrun, [hvrun, 'ctl', '--wait', '30', machine.path, 'console'])
    deadline = time.monotonic() + LIMIT
    while termios.tcgetattr(terminal)[3] & termios.ICANON:
        assert time.monotonic() < deadline, 'it never had the terminal'
        time.sleep(0.02)
    os.set_blocking(terminal, False)
    left = b'a' * (1 << 20) + b'\x01x'
    while left and time.monotonic() < deadline:
        if select.select([], [terminal], [], 1)[1]:
            left = left[os.write(terminal, left[:1024]):]
    status = (0, 0)
    while not status[0] and time.monotonic() < deadline:
        status = os.waitpid(pid, os.WNOHANG)
        time.sleep(0.02)
    machine.over.set()
    if not status[0]:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert status == (pid, 0) and not left, (status, len(left))


case('nobody-lets-in', nobody_lets_in)
case('stopped-while-nobody-lets-in', stopped_while_nobody_lets_in)
case('tame-results', tame_results)
case('tame-events', tame_events)
case('rare-events', rare_events)
case('slow-core', slow_core)
cases.shutdown()
# By itself: a fork with its child's own Python.
cases = concurrent.futures.ThreadPoolExecutor(1)
case('console-never-reads', console_never_reads)
cases.shutdown()
