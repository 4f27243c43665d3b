"""What keeps a candidate in, beside `seccomp`: namespaces, Landlock and resource limits, with ctypes alone.

Each function applies one protection to the calling process for good. `attempt` runs one in a throw-away
fork first, because some systems let `unshare` succeed and refuse the mounts after it: decide before
touching yourself. Runs inside the sandbox: standard library only.

Source: landlock(7), namespaces(7), pivot_root(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable

from code_envs.execution.kernel import check, libc, number, open_high, pointer, prctl

__all__ = [
    "SCRATCH",
    "ChildLimits",
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
    "limit_processes",
    "limit_resources",
    "new_root",
    "open_children",
    "readable_paths",
    "restrict_files",
]

SCRATCH = "/tmp"

# ---------------------------------------------------------------------------------------------- basics


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
    prctl(1, signal.SIGKILL, "prctl(PR_SET_PDEATHSIG)")


def hide_memory() -> None:
    """Keep other processes of the same user out of this one's memory and `/proc` entry."""
    prctl(4, 0, "prctl(PR_SET_DUMPABLE)")


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that `kill_children` finds them."""
    prctl(36, 1, "prctl(PR_SET_CHILD_SUBREAPER)")


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
    return open_high(f"/proc/self/task/{os.getpid()}/children")


def kill_children(listing: int) -> None:
    """Kill and reap what a job left behind; orphans arrive here, see `adopt_orphans`."""
    while words := os.pread(listing, 65536, 0).split():
        for word in words:
            os.kill(int(word), signal.SIGKILL)
        for word in words:
            os.waitpid(int(word), 0)


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
    check(libc.unshare(ctypes.c_int(flags | (_NEW_USER if user else 0))), "unshare")
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
    check(libc.syscall(number("pivot_root"), b".", b"."), "pivot_root")
    check(libc.umount2(b".", 2), "umount the old root")
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
    result = libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    check(result, f"mount {kind or source} on {target}")


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
        if libc.prctl(24, ctypes.c_ulong(capability), pointer(0), pointer(0), pointer(0)) != 0:
            break  # EINVAL past the last capability, EPERM where there are none to drop
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("<II", 0x20080522, 0)
    check(libc.syscall(number("capset"), header, bytes(24)), "capset")
    prctl(38, 1, "prctl(PR_SET_NO_NEW_PRIVS)")


# -------------------------------------------------------------------------------------------- Landlock

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def landlock_abi() -> int:
    """Version of the kernel's Landlock interface.

    Raises:
        OSError: If the kernel has none.
    """
    return check(libc.syscall(444, pointer(0), pointer(0), 1), "landlock_create_ruleset")


def restrict_files(readable: list[str], writable: list[str], programs: bool = False) -> None:
    """Deny every file but these, and with a newer kernel also TCP, abstract sockets and foreign signals.

    With `programs`, what is readable or writable may also be executed.

    Raises:
        OSError: If the kernel has no Landlock.
    """
    abi = landlock_abi()
    handled = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)) - 1
    attributes = struct.pack("<QQQ", handled, 3, 3)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    prctl(38, 1, "prctl(PR_SET_NO_NEW_PRIVS)")
    rules = check(libc.syscall(444, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock_create_ruleset")
    try:
        for path in readable:
            _allow(rules, path, _READ_FILE | _READ_DIR | (_EXECUTE if programs else 0))
        if programs and os.path.exists(os.devnull):  # gcc writes to it where it only checks
            _allow(rules, os.devnull, _READ_FILE | _WRITE_FILE)
        for path in writable:
            _allow(rules, path, handled & ~(_IOCTL_DEV | (0 if programs else _EXECUTE)))
        check(libc.syscall(446, rules, 0), "landlock_restrict_self")
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH)
    try:
        if not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("<Qi", rights, descriptor)
        check(libc.syscall(445, rules, 1, rule, 0), f"landlock_add_rule {path}")
    finally:
        os.close(descriptor)


# --------------------------------------------------------------------------------------------- rlimits


class ChildLimits:
    """Limits of the next child: laid out before the fork, so that the child makes the calls and touches little memory.

    With `resource.setrlimit` a fresh child paid some 13 page faults of 280, with these calls 0 to 8.
    """

    KINDS = (
        resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_AS,
    )  # fmt: skip

    def __init__(self) -> None:
        self._pairs = (ctypes.c_uint64 * (2 * len(self.KINDS)))()
        first = ctypes.addressof(self._pairs)
        self._calls = [(ctypes.c_int(kind), pointer(first + 16 * n)) for n, kind in enumerate(self.KINDS)]
        self._set = ctypes.CDLL(None).setrlimit  # keeps no errno, which costs page faults, too

    def prepare(self, cpu_s: int, file_bytes: int, open_files: int, memory_bytes: int) -> None:
        """Lay out limits. A second after that of its CPU time a child is killed; it can start no process."""
        self._pairs[:] = [
            cpu_s, cpu_s + 1, file_bytes, file_bytes, open_files, open_files, 1, 1, memory_bytes, memory_bytes,
        ]  # fmt: skip

    def apply(self) -> None:
        """Limit the calling process, for good.

        Raises:
            OSError: If the system refuses; on a Mac, which has no limit of memory, that one may fail.
        """
        for kind, pair in self._calls:
            if self._set(kind, pair) != 0 and (sys.platform == "linux" or kind.value != resource.RLIMIT_AS):
                raise OSError(f"the limit of resource {kind.value} was refused")


def limit_processes() -> None:
    """Start no process or thread. Tried in a probe, because the machine's root is not held to it.

    Raises:
        OSError: If the limit does not hold.
    """
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    try:
        os.fork()
    except BlockingIOError:
        return
    raise OSError("one process was allowed, and a fork still succeeded")


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
