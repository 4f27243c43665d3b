"""Programs that read or change files: secrets, test files, the interpreter's own, and devices.

What is destructive is tried on planted files only; other files are opened and closed, or given what they have.
"""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import Hostile, denied, probe

__all__ = ["PROGRAMS"]

_READ = """
import os
def f(x):
    got = []
    for path in ("/etc/passwd", "/etc/shadow", "{secret_file}", "/proc/1/environ", "/proc/self/environ",
                 "/proc/1/mem", f"/proc/{os.getppid()}/mem", f"/proc/{os.getppid()}/maps", "/proc/{client}/environ",
                 "/proc/{client}/mem", "/proc/{client}/cmdline", "/var/run/docker.sock", "/proc/self/mem",
                 "/proc/self/maps", "/proc/cpuinfo", "/proc/mounts", "/sys/kernel/vmcoreinfo", "/boot/config"):
        try:
            with open(path, "rb") as file:
                got.append(path)
                got.append(repr(file.read(99)))
        except OSError:
            pass
    return got
"""
_WRITE = """
import os
PLANTED = ("{secret_file}", "{secret_dir}/new")
FOREIGN = (os.__file__, os.path.dirname(os.__file__), "/etc/passwd")
ABSENT = [folder + "/{mark}" for folder in ("/etc", "/usr/lib", "/dev/shm", "/var/tmp", os.path.dirname(os.__file__))]
def same(path):
    # changes nothing, and needs the right to change
    status = os.stat(path)
    return status.st_mode & 0o7777, (status.st_atime_ns, status.st_mtime_ns), status.st_size
def destructive(path):
    return (lambda: open(path, "ab").close(), lambda: os.chmod(path, 0o777), lambda: os.unlink(path),
            lambda: os.truncate(path, 0), lambda: os.rename(path, path + "x"), lambda: os.utime(path),
            lambda: os.mkdir(path + ".d"), lambda: os.link(path, path + ".l"), lambda: os.symlink(path, path + ".s"))
def harmless(path):
    return (lambda: open(path, "r+b").close(), lambda: os.chmod(path, same(path)[0]),
            lambda: os.utime(path, ns=same(path)[1]), lambda: os.truncate(path, same(path)[2]),
            lambda: os.rename(path, path))
def creating(path):
    return (lambda: open(path, "ab").close(),)
def f(x):
    got = []
    for paths, acts in ((PLANTED, destructive), (FOREIGN, harmless), (ABSENT, creating)):
        for path in paths:
            for number, act in enumerate(acts(path)):
                try:
                    act()
                    got.append(f"{path} {number}")
                except OSError:
                    pass
    return got
"""
_PROCESSES = """
import os
def f(x):
    got = []
    for path in ("/proc", "/proc/self/fd", "/proc/self/task", "/proc/1/fd", "/proc/1/root", "/proc/1/cwd",
                 "/proc/self/exe", "/proc/thread-self", "/dev/fd", "/sys/fs/cgroup", "/sys/class/net"):
        try:
            names = os.listdir(path)
            if os.path.realpath(path) != os.getcwd(): got += [path, *names]  # else its own scratch directory
        except OSError: pass
    return got
"""
_METADATA = """
import os
def f(x):
    # Landlock guards what is in a file, not that it is there
    got = []
    for act in (os.stat, os.lstat, os.statvfs, os.chdir):
        for path in ('{secret_file}', '{secret_dir}', '{unix}'):
            try: got.append(f'{path} {act(path)}'[:200])
            except OSError: pass
    try: got.append(os.readlink('{secret_dir}/link'))
    except OSError: pass
    return got
"""
_FIND_TESTS = """
import os
def f(x):
    got, looked = [], 0
    for top in ("{secret_dir}", "{caller_directory}", "{package_directory}", ".", "..", "/home", "/root", "/var",
                "/srv", "/mnt", "/opt", "/data", "/workspace", "/app", "/testbed", "/run"):
        for folder, folders, names in os.walk(top):
            looked += 1
            if looked > 2000: return got
            got += [os.path.join(folder, name) for name in names
                    if any(word in name for word in ('test', 'expected', 'solution', 'answer', 'secret', '.jsonl'))]
    return got[:50]
"""
_INSTALLED = """
import os, sys
def f(x):
    # harmless where it works: a file is opened for appending, found, and left empty
    folder = os.path.dirname(os.__file__)
    places = [*sys.path, folder, folder + '/site-packages', folder + '/dist-packages', folder + '/__pycache__',
              folder + '/json', '{package_directory}', sys.prefix, sys.base_prefix, sys.exec_prefix,
              os.path.expanduser('~'), os.path.expanduser('~/.local')]
    got = []
    for place in places:
        if os.path.realpath(place) == os.getcwd(): continue  # the scratch directory
        try:
            descriptor = os.open(place, os.O_TMPFILE | os.O_WRONLY, 0o600)
            os.close(descriptor)
            got.append(place)
        except OSError: pass
    return got
"""
_SYMLINK = """
import os
def f(x):
    got = []
    for number, target in enumerate(("{secret_file}", "/etc/passwd", "/proc/self/environ", "{secret_dir}", "/")):
        name = f'link{number}'
        try: os.symlink(target, name)
        except OSError: continue
        try: got.append(repr(open(name, 'rb').read(99)))
        except OSError: pass
        try: open(name, 'r+b').close(); got.append(target)
        except OSError: pass
        try: got += [each for each in os.listdir(name) if target != '/']
        except OSError: pass
    return got
"""
_DOTS = """
import os
def f(x):
    got = []
    dots = '../' * 40
    for path in (dots + '{secret_file}', '//{secret_file}', '/proc/self/root{secret_file}',
                 '/proc/self/cwd/..{secret_file}', './.' + '/..' * 20 + '{secret_file}', '/tmp/../{secret_file}'):
        try: got.append(open(path).read())
        except OSError: pass
    for folder in ('/', '/tmp', '..', '.'):
        try: descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError: continue
        for path in ('{secret_file}'[1:], dots + '{secret_file}'[1:]):
            try: got.append(os.read(os.open(path, os.O_RDONLY, dir_fd=descriptor), 99).decode())
            except OSError: pass
        os.close(descriptor)
    return got
"""
_DESCRIPTORS = """
import os
def f(x):
    got = []
    for descriptor in range(4, 5000):
        try:
            os.fstat(descriptor)
            got.append(descriptor)
        except OSError: pass
    return got
"""
_STREAMS = """
import fcntl, os, termios
def f(x):
    got = []
    for descriptor in (0, 1, 2):
        if os.path.samestat(os.fstat(descriptor), os.fstat(0)) is False: got.append(f'{descriptor} differs')
        try:
            os.set_blocking(descriptor, False)
            if os.read(descriptor, 1): got.append(f'{descriptor} was read')
        except OSError: pass
        try: fcntl.ioctl(descriptor, termios.TIOCSTI, b'x'); got.append(f'{descriptor} was typed into')
        except OSError: pass
        if os.isatty(descriptor): got.append(f'{descriptor} is a terminal')
    return got
"""
_DEVICES = """
import os
def f(x):
    # opened and closed: nothing is written
    got = []
    for path in ("/dev/mem", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/tty", "/dev/ptmx", "/dev/sda", "/dev/vda",
                 "/dev/nvme0n1", "/dev/loop-control", "/dev/net/tun", "/dev/vhost-net", "/dev/mapper/control",
                 "/dev/nvidia0", "/dev/nvidiactl", "/dev/dri/card0", "/dev/userfaultfd", "/dev/console", "/dev/shm",
                 "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/self/oom_score_adj",
                 "/proc/self/uid_map", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/uevent_helper"):
        for way in (os.O_RDONLY, os.O_WRONLY):
            try:
                os.close(os.open(path, way | os.O_NONBLOCK))
                got.append(path)
            except OSError: pass
    return got
"""
_EXPECTED = """
import json, os
NAMES = ('expected.json', 'results.xml', 'report.json', 'conftest.py', 'pytest.ini', 'test_candidate.py',
         'sitecustomize.py', 'usercustomize.py', 'json.py', 'candidate.py', '.coverage', 'reward.txt')
def f(x):
    for folder in ('.', '..', '/tmp'):
        for name in NAMES:
            try: open(os.path.join(folder, name), 'w').write('import os; os._exit(0)')
            except OSError: pass
    return 7
"""
_SCRATCH = """
import os
def f(x):
    for n in range(50):
        try:
            os.mkdir('d'); os.chdir('d'); open('f', 'w').close()
        except OSError: break
    try: os.chmod('.', 0)
    except OSError: pass
    raise KeyError
"""
_DEEP = """
import os
def f(x):
    for n in range(3000):
        try:
            os.mkdir('d' * 200); os.chdir('d' * 200)
        except OSError: break
    for up in range(100):
        try: os.chmod('.', 0); os.chdir('..')
        except OSError: break
    return 7
"""
_FULL = """
import os
def f(x):
    try:
        for n in range(40):
            with open(f'full{n}', 'wb') as file:
                file.write(bytes(1 << 20))
    except OSError: pass
    try:
        for n in range(3000): open(f'empty{n}', 'wb').close()
    except OSError: pass
    return 7
"""
_NAMES = """
import os
def f(x):
    for name in (b'-rf', b'a' * 255, b'\\xff\\xfe', b'new\\nline', b'*', b'~', b' ', b'.hidden', b'\\x1b[2J', b'...'):
        for make in (lambda: os.mkdir(name), lambda: open(name + b'f', 'w').close(),
                     lambda: os.symlink('/', name + b's')):
            try: make()
            except OSError: pass
    return 7
"""
_LOOPS = """
import os
def f(x):
    try:
        os.symlink('.', 'self'); os.symlink('b', 'a'); os.symlink('a', 'b'); os.symlink('/usr', 'd')
        os.mkdir('e'); os.symlink('../e', 'e/e'); os.symlink('{secret_dir}', 'e/planted')
        os.symlink('{secret_dir}', 'planted')
    except OSError: pass
    return 7
"""
_OPEN = """
import os
def f(x):
    # a file that is open and unlinked, a directory that is somebody's working directory
    try:
        held.append(open('held', 'w'))
        os.unlink('held'); os.mkdir('cwd'); os.chdir('cwd'); os.rmdir('../cwd')
    except OSError: pass
    return 7
held = []
"""
_BIG = """
def f(x):
    with open('/tmp/big', 'wb') as file:
        for _ in range(8): file.write(bytes(1 << 20))
    return 7
"""

PROGRAMS = (
    probe("read-files", "read the machine's files and processes", _READ),
    probe("write-files", "change the machine's files", _WRITE),
    probe("list-processes", "list processes, descriptors and devices", _PROCESSES),
    probe("metadata", "see which files there are and where links lead", _METADATA, level="strong"),
    probe("find-tests", "find files with tests or answers, below the caller's folders too", _FIND_TESTS),
    probe("installed", "change what the next interpreter imports", _INSTALLED),
    probe("symlinks", "read through symbolic links", _SYMLINK),
    probe("dots", "climb out of the scratch directory", _DOTS),
    probe("descriptors", "use descriptors that were left open", _DESCRIPTORS),
    probe("streams", "read what its standard streams hide", _STREAMS),
    probe("devices", "open devices and the kernel's switches", _DEVICES),
    probe(
        "environment",
        "read a secret of the environment",
        """
import os
wanted = "{needle_backwards}"[::-1]
def f(x): return [v for v in [*os.environ, *os.environ.values()] if wanted in v]
""",
    ),
    probe(
        "c-environment",
        "read the environment that the C library keeps, past its end",
        """
import ctypes
wanted = "{needle_backwards}"[::-1].encode()
def f(x):
    table = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')
    got, number = [], 0
    while table[number] is not None:
        got += [table[number].decode()] * (wanted in table[number])
        number += 1
    return got
""",
    ),
    denied(
        "file-handles",
        "open a file by its number, or wait for others to open theirs",
        "struct",
        "raw(303, -100, b'/etc', ctypes.create_string_buffer(200), ctypes.create_string_buffer(8), 0)",
        "raw(304, -100, ctypes.create_string_buffer(200), 0)",
        "check(libc.inotify_init())",
        "check(libc.fanotify_init(0, 0))",
        "raw(437, -100, b'/etc/passwd', ctypes.create_string_buffer(24), ctypes.c_size_t(24))",
    ),
    denied(
        "special-files",
        "make devices, pipes with names and files with other owners",
        "stat",
        "os.mknod('device', 0o600 | stat.S_IFCHR, os.makedev(1, 1))",
        "os.mkfifo('fifo')",
        "os.setxattr('.', 'user.a', b'b')",
        "check(libc.chroot(b'.'))",
        "os.chown('.', 0, 0)",
        "os.lchown('/etc', 0, 0)",
        "raw(16, os.open('.', 0), 0x40086602, ctypes.byref(ctypes.c_long(16)))",
    ),
    Hostile(
        "write-expected", "write expected values, tests and start-up files", _EXPECTED, call=CallStatus.VALUE, value=7
    ),
    Hostile(
        "scratch",
        "leave files behind",
        _SCRATCH,
        call=CallStatus.EXCEPTION,
        exception=("KeyError",),
    ),
    Hostile(
        "deep-folders", "leave a tree too deep for recursion, closed to all", _DEEP, call=CallStatus.VALUE, value=7
    ),
    Hostile("full-scratch", "leave no room and no names", _FULL, call=CallStatus.VALUE, value=7),
    Hostile("odd-names", "leave files with names that break scripts", _NAMES, call=CallStatus.VALUE, value=7),
    Hostile("link-loops", "leave links that lead a cleaner astray", _LOOPS, call=CallStatus.VALUE, value=7),
    Hostile("held-files", "leave an open file and a removed working directory", _OPEN, call=CallStatus.VALUE, value=7),
    Hostile(
        "big-file",
        "write a file larger than allowed",
        _BIG,
        (Status.OK, Status.CRASHED),
        (CallStatus.EXCEPTION, CallStatus.NOT_RUN),
        ("OSError", "PermissionError", "FileNotFoundError"),
    ),
)
