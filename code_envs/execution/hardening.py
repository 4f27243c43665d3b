"""What keeps a candidate in: namespaces, Landlock, seccomp and resource limits, with ctypes alone.

Each function applies one protection to the calling process for good. `attempt` runs one in a throw-away
fork first, because some systems let `unshare` succeed and refuse the mounts after it: decide before
touching yourself. Runs inside the sandbox: standard library only.

Source: seccomp(2), landlock(7), namespaces(7), pivot_root(2); numbers of system calls from the kernel's
`asm/unistd_64.h` and `asm-generic/unistd.h`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import glob
import mmap
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterable

__all__ = [
    "CandidateFilter",
    "adopt_orphans",
    "attempt",
    "die_with_parent",
    "drop_root",
    "enter_namespaces",
    "hide_memory",
    "kill_children",
    "kill_group",
    "kill_namespace",
    "landlock_abi",
    "limit_resources",
    "new_root",
    "open_children",
    "own_code_pages",
    "readable_paths",
    "restrict_files",
    "restrict_system_calls",
]

SCRATCH = "/tmp"

_libc = ctypes.CDLL(None, use_errno=True)
_pointer = ctypes.c_void_p
_quick = ctypes.CDLL(None).syscall  # keeps no errno, which costs a fresh child some 7 page faults


# ---------------------------------------------------------------------------------------------- basics


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int, what: str) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), _pointer(0), _pointer(0), _pointer(0)), what)


def attempt(action: Callable[[], object]) -> str | None:
    """Run an action in a fork that ends with it; None if it went well, else the reason it did not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        reason = b""
        try:
            action()
        except BaseException as error:
            reason = str(error).encode() or type(error).__name__.encode()
        os.write(writer, reason)
        os._exit(0 if not reason else 1)
    os.close(writer)
    said = b""
    while chunk := os.read(reader, 4096):
        said += chunk
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        return None
    return said.decode(errors="replace") or f"the probe ended with wait status {status}"


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies. Lost on a change of uid: call it after."""
    _prctl(1, signal.SIGKILL, "prctl(PR_SET_PDEATHSIG)")


def hide_memory() -> None:
    """Keep other processes of the same user out of this one's memory and `/proc` entry."""
    _prctl(4, 0, "prctl(PR_SET_DUMPABLE)")


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that `kill_children` finds them."""
    _prctl(36, 1, "prctl(PR_SET_CHILD_SUBREAPER)")


def kill_namespace() -> None:
    """As process 1: kill and reap every other process of the namespace."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def kill_group(pid: int) -> None:
    """Kill what is left of a child's process group, where processes cannot be found otherwise."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # none is left; a Mac says so either way
        os.killpg(pid, signal.SIGKILL)


def open_children() -> int:
    """A descriptor that lists the caller's children, to be opened before Landlock hides `/proc`.

    Raises:
        OSError: If the kernel lists no children.
    """
    low = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    try:
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 13)  # the low numbers belong to the jobs
    finally:
        os.close(low)


def kill_children(listing: int) -> None:
    """Kill and reap what a job left behind; orphans arrive here, see `adopt_orphans`."""
    while words := os.pread(listing, 65536, 0).split():
        for word in words:
            os.kill(int(word), signal.SIGKILL)
        for word in words:
            os.waitpid(int(word), 0)


def own_code_pages() -> None:
    """Make forks inherit the page tables of program text instead of faulting it in again.

    The kernel skips a file mapping at fork unless the process once wrote to it, so one byte of each is written
    over itself. Measured: 450 -> 364 page faults and 15 % less CPU per job. A mapping that refuses stays as it is.
    """
    with open("/proc/self/maps") as listing:
        lines = listing.read().splitlines()
    for line in lines:
        span, permissions, _, _, inode = line.split()[:5]
        if inode == "0" or not permissions.startswith("r-") or permissions[3] != "p":
            continue
        start, end = (int(word, 16) for word in span.split("-"))
        size = ctypes.c_size_t(end - start)
        readable = 1 | (4 if permissions[2] == "x" else 0)
        if _libc.mprotect(_pointer(start), size, readable | 2) == 0:
            ctypes.memmove(start, ctypes.string_at(start, 1), 1)
            _check(_libc.mprotect(_pointer(start), size, readable), "mprotect")


# ------------------------------------------------------------------------------------------ namespaces

_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18


def enter_namespaces(user: bool) -> None:
    """Leave the machine's mounts, network, IPC, host name and, from the next fork on, its processes.

    Args:
        user: Through a user namespace, for an ordinary user; else as root.

    Raises:
        OSError: If the kernel refuses.
    """
    uid, gid = os.geteuid(), os.getegid()
    flags = _NEW_NS | _NEW_NET | _NEW_IPC | _NEW_UTS | _NEW_PID
    _check(_libc.unshare(ctypes.c_int(flags | (_NEW_USER if user else 0))), "unshare")
    if user:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"1000 {uid} 1")
        _write("/proc/self/gid_map", f"1000 {gid} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def readable_paths(beside: list[str]) -> list[str]:
    """What an interpreter needs to import its standard library, and others: absolute paths that exist here."""
    standard_library = os.path.dirname(os.path.abspath(os.__file__))
    paths = [
        standard_library,
        os.path.join(os.path.abspath(sys.base_exec_prefix), "lib"),
        "/lib",
        "/lib64",
        "/usr/lib",
        "/usr/lib64",
        "/usr/share/zoneinfo",
        "/etc/ld.so.cache",
        *beside,
    ]
    kept: list[str] = []
    for path in paths:
        if os.path.exists(path) and not any(path == other or path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept


def new_root(readable: list[str], uid: int, gid: int, programs: bool = False) -> None:
    """Replace the file system by the readable paths, read-only, and an empty scratch directory.

    Args:
        readable: Absolute paths.
        uid: Owner of the scratch directory.
        gid: Its group.
        programs: Whether programs are to be compiled and run there: more room, executable, and `/proc`, in which
            virtual machines find themselves, where the kernel lets it be mounted.

    Raises:
        OSError: If the kernel refuses a mount.
    """
    _mount("", "/", "", _REC | _PRIVATE, "")
    root = next(place for place in ("/sys", "/mnt", "/run", "/tmp") if os.path.isdir(place) and _apart(place, readable))
    _mount("tmpfs", root, "tmpfs", _NOSUID | _NODEV, "size=1m,mode=755")
    for path in readable:
        _bind(path, root + path)
    for path in _installed(readable):
        _mount("tmpfs", root + path, "tmpfs", _RDONLY | _NOSUID | _NODEV | _NOEXEC, "size=4k,mode=555")
    os.makedirs(root + SCRATCH, exist_ok=True)
    if programs:
        _mount_processes(root + "/proc")
    os.chdir(root)
    _check(_libc.syscall(_sys("pivot_root"), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", 2), "umount the old root")
    os.chdir("/")
    _mount("", "/", "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV, "")
    room, flags = ("size=64m,nr_inodes=4k", 0) if programs else ("size=16m,nr_inodes=1k", _NOEXEC)
    _mount("tmpfs", SCRATCH, "tmpfs", _NOSUID | _NODEV | flags, f"{room},mode=700,uid={uid},gid={gid}")


def _mount_processes(target: str) -> None:
    """`/proc`, read-only even for the machine's root, and without the entries of the runner and its driver."""
    os.makedirs(target)
    for options in ("hidepid=4", "hidepid=2"):  # the first since Linux 5.8; the second shows group 0 everything
        with contextlib.suppress(OSError):  # a container's engine may forbid it; node and gcc need none
            _mount("proc", target, "proc", _RDONLY | _NOSUID | _NODEV | _NOEXEC, options)
            return


def _installed(readable: list[str]) -> list[str]:
    """Folders of installed packages below readable ones: this project may be there, with its tasks' references."""
    found: set[str] = set()
    for path in readable:
        for pattern in ("/*-packages", "/python*/*-packages", "/*/python*/*-packages"):
            found.update(os.path.realpath(each) for each in glob.glob(glob.escape(path) + pattern))
    inside = tuple(os.path.realpath(path) + "/" for path in readable)
    return sorted(each for each in found if each.startswith(inside) and os.path.isdir(each))


def _apart(place: str, readable: list[str]) -> bool:
    return not any(path == place or path.startswith(place + "/") for path in readable)


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(result, f"mount {kind or source} on {target}")


def _bind(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    _mount(source, target, "", _BIND | _REC, "")
    # a user namespace must keep the flags that the source's mount is locked to
    locked = os.statvfs(source).f_flag & _NOEXEC
    _mount("", target, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV | locked, "")


def drop_root(uid: int | None) -> None:
    """Give up every capability; as root also become `uid`, unless it is None.

    Raises:
        OSError: If the kernel refuses.
    """
    for capability in range(64):
        if _libc.prctl(24, ctypes.c_ulong(capability), _pointer(0), _pointer(0), _pointer(0)) != 0:
            break  # EINVAL past the last capability, EPERM where there are none to drop
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("<II", 0x20080522, 0)
    _check(_libc.syscall(_sys("capset"), header, bytes(24)), "capset")
    _prctl(38, 1, "prctl(PR_SET_NO_NEW_PRIVS)")


# -------------------------------------------------------------------------------------------- Landlock

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def landlock_abi() -> int:
    """Version of the kernel's Landlock interface.

    Raises:
        OSError: If the kernel has none.
    """
    return _check(_libc.syscall(444, _pointer(0), _pointer(0), 1), "landlock_create_ruleset")


def restrict_files(readable: list[str], writable: list[str], programs: bool = False) -> None:
    """Deny every file but these, and with a newer kernel also TCP, abstract sockets and foreign signals.

    With `programs`, what is readable or writable may also be executed.

    Raises:
        OSError: If the kernel has no Landlock.
    """
    abi = landlock_abi()
    handled = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)) - 1
    attributes = struct.pack("<QQQ", handled, 3, 3)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    _prctl(38, 1, "prctl(PR_SET_NO_NEW_PRIVS)")
    rules = _check(_libc.syscall(444, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock_create_ruleset")
    try:
        for path in readable:
            _allow(rules, path, _READ_FILE | _READ_DIR | (_EXECUTE if programs else 0))
        if programs and os.path.exists(os.devnull):  # gcc writes to it where it only checks
            _allow(rules, os.devnull, _READ_FILE | _WRITE_FILE)
        for path in writable:
            _allow(rules, path, handled & ~(_IOCTL_DEV | (0 if programs else _EXECUTE)))
        _check(_libc.syscall(446, rules, 0), "landlock_restrict_self")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("<Qi", rights, descriptor)
        _check(_libc.syscall(445, rules, 1, rule, 0), f"landlock_add_rule {path}")
    finally:
        os.close(descriptor)


# --------------------------------------------------------------------------------------------- seccomp

# inclusive ranges of the allowed numbers: what CPython and glibc use, without sockets, exec, ptrace, mount, keys
_ALLOWED = {
    "x86_64": (
        "0-25 28 32-40 53 56 60-63 72-91 95-100 102 104 107 108 110 111 115 118 120 121 124 127-132 137 138 140 143 "
        "145-147 157 158 160 186 200-202 204 213 217-219 221 228-235 247 257 258 261-271 273 274 280 281 283-287 "
        "290-293 302 309 316-319 324 326 332 334 436 439"
    ),
    "aarch64": (
        "17 19-25 29 32 34-38 43-50 52 53 56 57 59 61-68 71-73 78-80 82 83 85-88 93-96 98-103 113-115 120 121 123-126 "
        "128-139 141 148 150 153 155 156 158 160 163-169 172-179 199 214-216 220 222 223 226 233 260 261 276-279 283 "
        "285 291 293 436 439"
    ),
}
# what compilers, node and Java need beside: fork, vfork, execve, links, owners of files, process groups, wait4, reading
# attributes; not priorities, schedulers or affinities, which an ordinary user may change of process 1 as well
_PROGRAMS = {"x86_64": "57-59 61 86 88 92-94 109 148 191-196 239", "aarch64": "8-13 36 37 54 55 79 154 221 236 260"}
_NUMBERS = {
    "x86_64": {
        "seccomp": 317, "clone": 56, "clone3": 435, "kill": 62, "tkill": 200, "tgkill": 234, "prlimit64": 302,
        "socketpair": 53, "memfd_create": 319, "prctl": 157, "ioctl": 16, "rt_sigqueueinfo": 129,
        "pivot_root": 155, "capset": 126, "fcntl": 72, "fork": 57, "vfork": 58, "mmap": 9,
    },
    "aarch64": {
        "seccomp": 277, "clone": 220, "clone3": 435, "kill": 129, "tkill": 130, "tgkill": 131, "prlimit64": 261,
        "socketpair": 199, "memfd_create": 279, "prctl": 167, "ioctl": 29, "rt_sigqueueinfo": 138,
        "pivot_root": 41, "capset": 91, "fcntl": 25, "mmap": 222,
    },
}  # fmt: skip
# chmod, chown and utime act on files that Landlock does not guard
_METADATA = {"x86_64": (90, 91, 132, 235, 261, 268, 280), "aarch64": (52, 53, 88)}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _EQ, _GT, _GE, _SET, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
_NR, _ARCH = 0, 4
_CLONE_THREAD = 0x10000
_MAP_SHARED, _MAP_ANONYMOUS = 1, 0x20

_Instruction = tuple[int, int, int, int]


def _sys(name: str) -> int:
    return _NUMBERS[_machine()][name]


def _machine() -> str:
    machine = platform.machine()
    if machine not in _NUMBERS or sys.byteorder != "little" or sys.maxsize < 1 << 32:
        raise OSError(f"system call numbers are known for {sorted(_NUMBERS)}, this machine is {machine!r}")
    return machine


def _argument(index: int) -> int:
    return 16 + 8 * index  # the low half of a 64-bit argument


def _pack(program: Iterable[_Instruction]) -> bytes:
    return b"".join(struct.pack("<HBBI", *each) for each in program)


class _Installed:
    """A filter in memory, ready to be handed to the kernel."""

    def __init__(self, program: list[_Instruction]) -> None:
        self.code = mmap.mmap(-1, 8 * len(program), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.code.write(_pack(program))
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.code))
        self.header = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), address), 16)
        # plain ints would be cut to 32 bits
        self.arguments = (
            ctypes.c_long(_sys("seccomp")), _pointer(1), _pointer(0), _pointer(ctypes.addressof(self.header)),
        )  # fmt: skip

    def install(self) -> None:
        if _quick(*self.arguments) != 0:
            _check(_libc.syscall(*self.arguments), "seccomp")


def _prologue() -> list[_Instruction]:
    return [(_LOAD, 0, 0, _ARCH), (_EQ, 1, 0, _AUDIT_ARCH[_machine()]), (_RET, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]


def restrict_system_calls(guard_metadata: bool, programs: bool = False) -> None:
    """Allow the system calls that the runner and its candidates need; all others give EPERM.

    Args:
        guard_metadata: Also deny chmod, chown and utime, needed where no mount namespace hides the machine's files.
        programs: Allow those of compilers and virtual machines, too.

    Raises:
        OSError: If the kernel has no seccomp filters, or the machine is not known.
    """
    machine = _machine()
    numbers: set[int] = set()
    for word in f"{_ALLOWED[machine]} {_PROGRAMS[machine] if programs else ''}".split():
        first, _, last = word.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    if guard_metadata:
        numbers.difference_update(_METADATA[machine])
    program = _prologue()
    # glibc falls back from clone3 to clone, whose flags a filter can see
    program += [(_EQ, 0, 1, _sys("clone3")), (_RET, 0, 0, _ENOSYS)]
    for first_number, last_number in _ranges(sorted(numbers)):
        program += [(_GT, 3, 0, last_number), (_GE, 0, 1, first_number), (_RET, 0, 0, _ALLOW), (_RET, 0, 0, _EPERM)]
    program.append((_RET, 0, 0, _EPERM))
    _prctl(38, 1, "prctl(PR_SET_NO_NEW_PRIVS)")
    _Installed(program).install()


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


class CandidateFilter:
    """The second filter, which the runner itself could not work under: no processes, no signals to others.

    Built once, before the forks; a child writes its pid into its own copy and installs it.

    Args:
        programs: For a process that is about to become a compiled program or a virtual machine: threads are allowed.
    """

    def __init__(self, programs: bool = False) -> None:
        rules: list[_Instruction] = []
        denied = ["memfd_create", "seccomp", "rt_sigqueueinfo", *(("fork", "vfork") if programs else ("clone",))]
        for name in [name for name in denied if name in _NUMBERS[_machine()]]:
            rules += [(_EQ, 0, 1, _sys(name)), (_RET, 0, 0, _EPERM)]
        if programs:
            rules += [(_EQ, 0, 4, _sys("clone")), (_LOAD, 0, 0, _argument(0)), (_SET, 1, 0, _CLONE_THREAD)]
            rules += [(_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]
            # shared memory without a file is counted by no limit that a virtual machine can live under
            rules += [(_EQ, 0, 5, _sys("mmap")), (_LOAD, 0, 0, _argument(3)), (_SET, 0, 2, _MAP_ANONYMOUS)]
            rules += [(_SET, 0, 1, _MAP_SHARED), (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]
        rules += self._one_of("socketpair", 0, (1,))  # AF_UNIX, which asyncio uses
        rules += self._one_of("prctl", 0, (3, 15, 16, 39))  # reading, and the name of the thread
        rules += self._one_of("ioctl", 1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451))
        # owner and signal of a descriptor's SIGIO reach even process 1, as the kernel itself sends that signal
        rules += self._one_of("fcntl", 1, (0, 1, 2, 3, 5, 6, 7, 1030, 1031, 1032))
        program = _prologue()
        # the pid of the caller stands in one place: a fresh child pays for each write with page faults
        checked = len(program)
        program += [
            (_EQ, 5, 0, _sys("kill")), (_EQ, 4, 0, _sys("tkill")), (_EQ, 3, 0, _sys("tgkill")),
            (_EQ, 0, 6, _sys("prlimit64")), (_LOAD, 0, 0, _argument(0)), (_EQ, 3, 0, 0),
            (_LOAD, 0, 0, _argument(0)), (_EQ, 1, 0, 0xFFFFFFFF), (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW),
        ]  # fmt: skip
        program += rules
        program.append((_RET, 0, 0, _ALLOW))
        self._filter = _Installed(program)
        self._own = ctypes.c_uint32.from_buffer(self._filter.code, 8 * (checked + 7) + 4)
        self.install = self._filter.install

    @staticmethod
    def _one_of(name: str, argument: int, allowed: tuple[int, ...]) -> list[_Instruction]:
        """Allow a system call for some values of one argument."""
        count = len(allowed)
        rule = [(_EQ, 0, count + 3, _sys(name)), (_LOAD, 0, 0, _argument(argument))]
        rule += [(_EQ, count - position, 0, value) for position, value in enumerate(allowed)]
        return [*rule, (_RET, 0, 0, _EPERM), (_RET, 0, 0, _ALLOW)]

    def bind(self, pid: int) -> None:
        """Let the calling process, `pid`, signal itself."""
        self._own.value = pid


# --------------------------------------------------------------------------------------------- rlimits


def limit_resources() -> None:
    """The limits that hold for every job: no core files, locked memory, message queues or priorities.

    Raises:
        OSError, ValueError: If the kernel refuses.
    """
    # not 0, which a machine's program for core files ignores: the kernel starts none at a limit of 1, see core(5)
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    for name in ("MEMLOCK", "MSGQUEUE", "NICE", "RTPRIO"):
        limit = getattr(resource, f"RLIMIT_{name}", None)
        if limit is not None:  # the last three are Linux's own
            resource.setrlimit(limit, (0, 0))
