"""C and C++ programs: what native code can ask of the kernel, of its driver and of the directory it runs in."""

from __future__ import annotations

from dataclasses import replace

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.languages import LIMITS, LOOPS, SLEEPS, c, c_probe
from code_envs.testing.hostile.program import Hostile

__all__ = ["PROGRAMS"]

_ENDED = (CallStatus.VALUE, CallStatus.EXCEPTION)
_OTHERS = "pid_t others[] = {1, getppid()};\nfor (int n = 0; n < 2; n++) { pid_t pid = others[n];"
_OPENS = """
static void opens(const char *format, pid_t pid, const char *name, int flags) {
  char path[200];
  snprintf(path, sizeof path, format, pid, name);
  int file = open(path, flags);
  if (file >= 0) printf("opened %s ", path);
}
"""
_PROC = """
const char *private[] = {"mem", "environ", "maps", "smaps", "auxv", "io", "stack", "syscall", "pagemap", "fd/0",
                         "fd/3", "fd/10", "fd/11", "root/etc", "cwd/x", "exe", "personality", "ns/pid", "map_files"};
const char *written[] = {"oom_score_adj", "comm", "coredump_filter", "timerslack_ns", "clear_refs", "loginuid",
                         "attr/current", "uid_map", "sched", "mem"};
for (int k = 0; k < 19; k++) opens("/proc/%d/%s", pid, private[k], O_RDONLY);
for (int k = 0; k < 10; k++) opens("/proc/%d/%s", pid, written[k], O_WRONLY);
char path[99];
snprintf(path, sizeof path, "/proc/%d/fd", pid);
if (opendir(path)) printf("%s ", path);
snprintf(path, sizeof path, "/proc/%d/cwd", pid);
REACHED(readlink(path, path, sizeof path));
}
opens("/proc/sys/kernel/core_pattern%.0d%s", 0, "", O_WRONLY);
opens("/proc/sys/kernel/hostname%.0d%s", 0, "", O_WRONLY);
opens("/proc/sysrq-trigger%.0d%s", 0, "", O_WRONLY);
opens("/proc/self/oom_score_adj%.0d%s", 0, "", O_WRONLY);
opens("/proc/kcore%.0d%s", 0, "", O_RDONLY);
opens("/proc/kmsg%.0d%s", 0, "", O_RDONLY);
"""
_FILES = """
const char *read[] = {"{secret_file}", "/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/group",
                      "{package_directory}/pyproject.toml", "/var/run/docker.sock", "/dev/zero", "/dev/mem",
                      "/proc/1/root{secret_file}", "/tmp/../{secret_file}", "/proc/self/root{secret_file}",
                      "/sys/kernel/uevent_seqnum"};
const char *made[] = {"{secret_dir}", "", "/usr/bin", "/usr/include", "/usr/lib", "/dev/shm", "/var/tmp", "/usr/local",
                      "/run", "/home", "/proc"};
char text[300], path[300];
for (int k = 0; k < 13; k++) {
  int file = open(read[k], O_RDONLY);
  ssize_t size = file < 0 ? -1 : pread(file, text, 200, 0);
  if (file >= 0) printf("%s gave %.*s ", read[k], size < 0 ? 0 : (int)size, text);
}
for (int k = 0; k < 11; k++) {
  snprintf(path, sizeof path, "%s/{mark}-%d", made[k], getpid());
  if (open(path, O_CREAT | O_EXCL | O_WRONLY, 0600) < 0) continue;
  unlink(path);
  printf("made %s ", path);
}
REACHED(open("{secret_file}", O_WRONLY));
REACHED(open("/usr/bin/env", O_WRONLY));
REACHED(link("{secret_file}", "{secret_dir}/hard"));
REACHED(mkdir("{secret_dir}/d", 0777));
REACHED(readlink("{secret_dir}/link", text, 200));
REACHED((symlink("{secret_file}", "soft"), open("soft", O_RDWR)));
REACHED(chmod("{secret_file}", 0666));
REACHED(rename("{secret_file}", "{secret_dir}/moved") ? -1 : rename("{secret_dir}/moved", "{secret_file}"));
REACHED(truncate("{secret_file}", 0));
REACHED(unlink("{secret_file}") ? -1 : creat("{secret_file}", 0666));
if (opendir("{secret_dir}")) printf("{secret_dir} ");
if (opendir("{caller_directory}")) printf("{caller_directory} ");
if (opendir("/")) printf("/ ");
"""
_SOCKETS = """
struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons({port}), .sin_addr.s_addr = htonl(0x7f000001)};
struct sockaddr_in udp = {.sin_family = AF_INET, .sin_port = htons({datagrams}), .sin_addr.s_addr = htonl(0x7f000001)};
struct sockaddr_un file = {.sun_family = AF_UNIX, .sun_path = "{unix}"};
struct sockaddr_un hidden = {.sun_family = AF_UNIX, .sun_path = "\\0{abstract}"};
struct { void *address; int size, family; } all[] = {
  {&tcp, sizeof tcp, AF_INET}, {&udp, sizeof udp, AF_INET}, {&file, sizeof file, AF_UNIX},
  {&hidden, offsetof(struct sockaddr_un, sun_path) + 1 + strlen("{abstract}"), AF_UNIX}};
int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
for (int k = 0; k < 12; k++) {
  int one = socket(all[k % 4].family, kinds[k / 4], 0), pair[2] = {-1, -1};
  if (one >= 0 && connect(one, all[k % 4].address, all[k % 4].size) == 0 && write(one, "out", 3)) printf("sent %d ", k);
  socketpair(AF_UNIX, kinds[k / 4] | SOCK_NONBLOCK, 0, pair);
  if (connect(pair[0], all[k % 4].address, all[k % 4].size) == 0) printf("connected %d ", k);
  if (sendto(pair[0], "out", 3, 0, all[k % 4].address, all[k % 4].size) == 3) printf("sent to %d ", k);
}
REACHED(socket(AF_NETLINK, SOCK_RAW, 0));
REACHED(socket(AF_PACKET, SOCK_RAW, 0));
REACHED(socket(AF_VSOCK, SOCK_STREAM, 0));
REACHED(socket(AF_ALG, SOCK_SEQPACKET, 0));
"""
_ACTS_ON = """
struct rlimit now;
struct sched_param same;
char there[64];
struct iovec local = {there, 8}, far = {0, 8};
cpu_set_t all;
sched_getaffinity(pid, sizeof all, &all);
sched_getparam(pid, &same);
LET_THROUGH(process_vm_readv(pid, &local, 1, &far, 1, 0));
LET_THROUGH(process_vm_writev(pid, &local, 1, &far, 1, 0));
REACHED(ptrace_seize(pid));
REACHED(prlimit(pid, RLIMIT_CPU, 0, &now));
REACHED(setpriority(PRIO_PROCESS, pid, getpriority(PRIO_PROCESS, pid)));
REACHED(sched_setscheduler(pid, sched_getscheduler(pid), &same));
REACHED(sched_setparam(pid, &same));
REACHED(sched_setaffinity(pid, sizeof all, &all));
LET_THROUGH(syscall(SYS_sched_setattr, pid, 0, 0));
REACHED(syscall(SYS_ioprio_set, 1, pid, syscall(SYS_ioprio_get, 1, pid)));
LET_THROUGH(syscall(SYS_migrate_pages, pid, 0, 0, 0));
LET_THROUGH(syscall(SYS_move_pages, pid, 0, 0, 0, 0, 0));
LET_THROUGH(syscall(SYS_kcmp, pid, getpid(), 99, 0, 0));
REACHED(syscall(434, pid, 0));
REACHED(syscall(SYS_get_robust_list, pid, there, there + 8));
}
REACHED(setpriority(PRIO_PROCESS, 0, 19));
REACHED(nice(1));
"""
_PTRACE = """
/* becomes a tracer and does not stop what it traces */
static long ptrace_seize(pid_t pid) { return syscall(SYS_ptrace, 0x4206, pid, 0, 0); }
"""
_KILL = """
long ways[] = {-1, 0, 1, getppid(), {client}, -{client}, -getppid(), -getpgrp()};
for (int k = 0; k < 8; k++) {
  /* signal 0 needs the same right as any other and does nothing */
  if (kill(ways[k], 0) == 0) printf("kill %ld ", ways[k]);
  if (ways[k] <= 0) continue;
  if (syscall(SYS_tkill, ways[k], 0) == 0) printf("tkill %ld ", ways[k]);
  if (syscall(SYS_tgkill, ways[k], ways[k], 0) == 0) printf("tgkill %ld ", ways[k]);
  siginfo_t about = {.si_code = SI_QUEUE};
  if (syscall(SYS_rt_sigqueueinfo, ways[k], 0, &about) == 0) printf("queue %ld ", ways[k]);
}
int pair[2];
if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
  REACHED(fcntl(pair[0], F_SETOWN, getppid()));
  fcntl(pair[0], F_SETOWN, 0);
}
"""
_ASKS = """
char zeros[256] = {0};
int two[2];
REACHED(unshare(CLONE_NEWUSER));
REACHED(unshare(CLONE_NEWNS));
REACHED(unshare(CLONE_NEWPID | CLONE_NEWNET));
LET_THROUGH(mount(0, 0, 0, 0, 0));
LET_THROUGH(mount("/none", "/none", 0, MS_BIND, 0));
LET_THROUGH(umount2(0, MNT_DETACH));
LET_THROUGH(chroot(0));
LET_THROUGH(syscall(SYS_pivot_root, 0, 0));
LET_THROUGH(syscall(SYS_setns, -1, 0));
REACHED(setuid(0));
REACHED(setgid(0));
REACHED(setresuid(0, 0, 0));
REACHED(setreuid(0, 0));
REACHED(setregid(0, 0));
REACHED(syscall(SYS_setfsuid, 0) == 0 ? 0 : -1);
REACHED(syscall(SYS_setgroups, 0, 0));
REACHED(syscall(SYS_capset, zeros, zeros));
REACHED(syscall(SYS_keyctl, 0, -3, 1));
REACHED(syscall(SYS_add_key, "user", "x", "y", 1, -3));
REACHED(syscall(SYS_request_key, "user", "x", 0, -3));
LET_THROUGH(syscall(SYS_bpf, -1, 0, 0));
REACHED(syscall(SYS_perf_event_open, zeros, 0, -1, -1, 0));
REACHED(syscall(SYS_userfaultfd, 1));
REACHED(syscall(425, 1, zeros));
REACHED(syscall(SYS_memfd_create, "x", 0));
LET_THROUGH(syscall(SYS_shmget, 1, 0, 01000));
LET_THROUGH(syscall(SYS_semget, 1, -1, 01000));
LET_THROUGH(syscall(SYS_msgget, 1, 0));
LET_THROUGH(syscall(SYS_mq_open, 0, 0, 0, 0));
REACHED(syscall(SYS_inotify_init1, 0));
REACHED(syscall(SYS_fanotify_init, 0, 0));
REACHED(syscall(SYS_signalfd4, -1, zeros, 8, 0));
REACHED(syscall(SYS_timer_create, 0, 0, two));
REACHED(syscall(SYS_personality, 0x0040000));
LET_THROUGH(syscall(SYS_open_by_handle_at, -1, zeros, 0));
LET_THROUGH(syscall(SYS_name_to_handle_at, -1, 0, 0, 0, 0));
LET_THROUGH(syscall(SYS_syslog, 3, 0, -1));
LET_THROUGH(syscall(SYS_sethostname, 0, -1));
LET_THROUGH(syscall(SYS_acct, 1));
LET_THROUGH(syscall(SYS_quotactl, -1, 0, 0, 0));
LET_THROUGH(syscall(SYS_swapon, 0, 0));
LET_THROUGH(syscall(SYS_mknodat, -1, 0, S_IFIFO | 0600, 0));
LET_THROUGH(syscall(SYS_mknodat, -1, 0, S_IFCHR | 0600, 257));
LET_THROUGH(syscall(SYS_setxattr, 0, 0, 0, 0, 0));
REACHED(syscall(SYS_setsid));
LET_THROUGH(syscall(SYS_clock_settime, -1, 0));
REACHED(syscall(SYS_mlockall, 3));
REACHED(syscall(SYS_mbind, 0, 0, 0, 0, 0, 0));
REACHED(syscall(SYS_set_mempolicy, 0, 0, 0));
REACHED(prctl(PR_SET_SECCOMP, 1, 0, 0, 0));
REACHED(prctl(PR_SET_SECCOMP, 2, zeros, 0, 0));
REACHED(syscall(SYS_seccomp, 1, 0, zeros));
REACHED(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
REACHED(prctl(PR_SET_PTRACER, -1, 0, 0, 0));
REACHED(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
REACHED(prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0));
REACHED(prctl(PR_SET_MM, 1, 0, 0, 0));
REACHED(prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0 ? 0 : -1);
REACHED(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
"""
_LIMITS = """
for (int kind = 0; kind < 16; kind++) {
  struct rlimit now, more;
  if (getrlimit(kind, &now) || now.rlim_max == RLIM_INFINITY) continue;
  more.rlim_cur = more.rlim_max = now.rlim_max + 1;
  if (setrlimit(kind, &more) == 0) printf("raised %d ", kind);
}
"""
_FORKS = """
int failed = 0;
char *none[] = {"true", 0};
REACHED(ends(fork()));
REACHED(ends(vfork()));
REACHED(ends(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
REACHED(ends(syscall(SYS_clone, SIGCHLD | CLONE_PARENT, 0, 0, 0, 0)));
REACHED(ends(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
REACHED(ends(syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0)));
long clone3[11] = {0, 0, 0, 0, SIGCHLD};
REACHED(ends(syscall(435, clone3, 88)));
REACHED(posix_spawn(&failed, "/bin/true", 0, 0, none, none) == 0 ? 0 : -1);
REACHED(system("exit 0") == 0 ? 0 : -1);
if (popen("exit 0", "r")) printf("popen ");
for (int k = 0; k < 300; k++) if (ends(fork()) != -1) printf("fork %d ", k);
"""
_THREADS = """
pthread_t threads[1000];
int started = 0;
for (int k = 0; k < 1000; k++) started += pthread_create(&threads[k], 0, waits, 0) == 0;
/* the process that counts the same user's may have a few */
if (started > 300) printf("%d threads", started);
_exit(0);
"""
_DAEMON = """
prctl(PR_SET_NAME, "{mark}", 0, 0, 0);
setsid();
if (fork() == 0) { setsid(); if (fork() == 0) sleep(30); _exit(0); }
"""
_SURROUNDINGS = """
for (int file = 3; file < 4096; file++) {
  if (fcntl(file, F_GETFD) != -1) printf("%d is open ", file);
  if (write(file, "[\\"v\\",1]\\n", 8) > 0) printf("%d was written ", file);
}
char text[200], path[99];
for (int file = 0; file < 3; file++) {
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  ssize_t size = readlink(path, text, sizeof text);
  if (size > 0 && strncmp(text, "/memfd:", 7)) printf("%d is %.*s ", file, (int)size, text);
}
extern char **environ;
for (char **each = environ; *each; each++)
  if (strncmp(*each, "PATH=", 5) && strncmp(*each, "LANG=", 5) && strncmp(*each, "HOME=", 5)) printf("%s ", *each);
if (getuid() == 0 || geteuid() == 0) printf("root ");
"""
_DEEP = """
for (int k = 0; k < 1500; k++) if (mkdir("d", 0777) || chdir("d")) break;
"""
_CLOSED = """
mkdir("a", 0777); mkdir("a/b", 0777); close(open("a/b/c", O_CREAT, 0));
chmod("a/b", 0); chmod("a", 0); chmod("program", 0); chmod(".", 0);
"""
_FILLED = """
char block[65536] = {1}, name[40];
for (int k = 0; k < 200; k++) {
  snprintf(name, sizeof name, "f%d", k);
  int file = open(name, O_CREAT | O_WRONLY, 0600);
  for (int part = 0; part < 15; part++) if (write(file, block, sizeof block) <= 0) break;
  close(file);
}
"""
_LINKS = """
const char *names[] = {"candidate.c", "candidate.js", "harness.js", "Main.java", "classes", "program"};
for (int k = 0; k < 6; k++) { unlink(names[k]); symlink("{secret_file}", names[k]); }
"""
_REPLACED = """
unlink("program");
FILE *file = fopen("program", "w");
fputs("#!/bin/sh\\nexec cat {secret_file} /proc/1/environ /etc/passwd\\n", file);
fchmod(fileno(file), 06777);
fclose(file);
"""
_IGNORES = "for (int number = 1; number < 65; number++) signal(number, SIG_IGN);\n"
_WAITS = "static void *waits(void *nothing) { for (;;) pause(); }"
_SPINS = "static void *spins(void *nothing) { for (;;); }"
_X86 = """
#ifdef __x86_64__
  int pid;
  /* fork by its number of 32-bit programs */
  __asm__ volatile("int $0x80" : "=a"(pid) : "a"(2) : "memory");
  if (pid == 0) _exit(0);
  printf("reached %d", pid);
#else
  raise(SIGSYS);
#endif
"""
_CPP_THREADS = """
#include <thread>
#include <vector>
int main() {
  std::vector<std::thread> threads;
  for (int k = 0; k < 1000; k++) threads.emplace_back([] { for (;;); });
}
"""
_CPP_STATIC = """
struct Endless { Endless() { for (volatile int k = 0;; k++); } } endless;
int main() {}
"""
_CPP_TERMINATE = """
#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>
void again(int) { throw std::runtime_error("again"); }
int main() {
  std::set_terminate([] { std::raise(SIGSEGV); std::_Exit(0); });
  std::signal(SIGSEGV, again);
  throw 1;
}
"""

PROGRAMS = (
    c_probe("c-processes", "start processes, in every way there is", _FORKS),
    c_probe("c-threads", "start a thousand threads", _THREADS, before=_WAITS),
    c_probe("c-signals", "signal the driver, process 1 and the caller", _KILL),
    c_probe("c-acts-on-others", "act on process 1 and the driver", _OTHERS + _ACTS_ON, before=_PTRACE),
    c_probe("c-proc", "read and write other processes' entries in /proc", _OTHERS + _PROC, before=_OPENS),
    c_probe("c-files", "read, write and remove files outside", _FILES, before="#include <stddef.h>"),
    c_probe("c-sockets", "reach the machine's listeners", _SOCKETS, before="#include <stddef.h>"),
    c_probe("c-asks", "ask the kernel for namespaces, identities, keys, queues and devices", _ASKS),
    c_probe("c-limits", "raise its own limits", _LIMITS),
    c_probe("c-surroundings", "find descriptors, variables and rights that it should not have", _SURROUNDINGS),
    c("c-daemon", "leave a process behind", _DAEMON, call=CallStatus.VALUE),
    c(
        "c-other-architecture",
        "fork by a system call of 32-bit programs",
        _X86,
        call=CallStatus.EXCEPTION,
        exception=("Crashed",),
    ),
    c(
        "c-shell",
        "become a shell that reads a planted file",
        'execl("/bin/sh", "sh", "-c", "cat {secret_file} /proc/1/environ; exec cat {secret_file}", (char *)0);',
        call=CallStatus.EXCEPTION,
    ),
    c(
        "c-compiler",
        "become a compiler that reads a planted file",
        'execl("/usr/bin/gcc", "gcc", "-E", "-x", "c", "-o", "/dev/stdout", "{secret_file}", (char *)0);',
        status=(Status.OK, Status.WALL_LIMIT),  # gcc waits and tries again where it can start no process
        limits=SLEEPS,
    ),
    c(
        "c-preload",
        "run itself again with libraries of its own",
        'if (!getenv("LD_PRELOAD")) { setenv("LD_PRELOAD", "{secret_file}", 1); execv("program", words); }',
        call=CallStatus.VALUE,
        value="",
    ),
    c(
        "c-exec-endless",
        "start anew in its own process for ever",
        'execv("program", words);',
        status=Status.CPU_LIMIT,
        limits=LOOPS,
        least_cpu_s=0.2,
    ),
    c(
        "c-loop",
        "never end, and ignore every signal",
        _IGNORES + "for (;;);",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
        least_cpu_s=0.2,
    ),
    c("c-sleep", "sleep for ever", _IGNORES + "for (;;) sleep(1000);", status=Status.WALL_LIMIT, limits=SLEEPS),
    c("c-stopped", "stop itself", "raise(SIGSTOP); for (;;) pause();", status=Status.WALL_LIMIT, limits=SLEEPS),
    c(
        "c-thread-goes-on",
        "end its first thread and go on in another",
        "pthread_t one; if (pthread_create(&one, 0, spins, 0)) for (;;); pthread_exit(0);",
        before=_SPINS,
        status=Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    c("c-output", "write without end", 'for (;;) puts("again and again and again");', status=Status.OUTPUT_LIMIT),
    c(
        "c-output-ignored",
        "write without end, and ignore the signal that says so",
        _IGNORES + 'for (int k = 0; k < 2000000; k++) if (write(1, "again and again", 15) < 0) break;',
        status=Status.OUTPUT_LIMIT,
    ),
    c(
        "c-output-hole",
        "an output of a terabyte, mostly hole",
        _IGNORES
        + 'ftruncate(1, 1L << 40); lseek(1, 1L << 40, SEEK_SET); write(1, "x", 1); fallocate(1, 1, 0, 1L << 40);',
        call=_ENDED,
        status=(Status.OK, Status.OUTPUT_LIMIT),
    ),
    c(
        "c-errors",
        "write errors without end",
        "static char block[65536]; for (;;) write(2, block, sizeof block);",
        status=Status.OUTPUT_LIMIT,
    ),
    c(
        "c-forged",
        "print what a harness would report",
        'printf("[\\"r\\"]\\n[\\"v\\",\\"1\\"]\\n[\\"l\\",\\"ok\\",0,\\"\\"]\\n");',
        call=CallStatus.VALUE,
        value='["r"]\n["v","1"]\n["l","ok",0,""]\n',
    ),
    c(
        "c-forged-bytes",
        "print what is no text",
        'for (int k = 0; k < 256; k++) putchar(k); printf("\\xed\\xa0\\x80\\xff\\xf8");',
        call=CallStatus.VALUE,
    ),
    c(
        "c-memory",
        "take all memory",
        "for (;;) { char *more = malloc(1 << 20); if (!more) break; memset(more, 1, 1 << 20); }",
        call=CallStatus.VALUE,
        value="",
    ),
    c(
        "c-stack",
        "recurse without end",
        "return down(1) + count;",
        before="static int down(int n) { volatile char room[4096]; room[n & 4095] = n; return down(n + 1) + room[0]; }",
        call=CallStatus.EXCEPTION,
        exception=("Crashed",),
    ),
    c("c-core", "leave a core file", "abort();", call=CallStatus.EXCEPTION, exception=("Crashed",)),
    c("c-filled", "fill the scratch directory", _FILLED, call=CallStatus.VALUE, value=""),
    c(
        "c-many-files",
        "use all files of the scratch directory",
        'char name[40]; for (int k = 0; k < 5000; k++) { sprintf(name, "f%d", k); close(creat(name, 0)); }',
        call=CallStatus.VALUE,
        value="",
    ),
    c("c-deep", "make very deep directories", _DEEP, status=(Status.OK, Status.CPU_LIMIT)),
    c("c-closed", "take all rights away from the scratch directory", _CLOSED, call=CallStatus.VALUE, value=""),
    c("c-links", "put links where its driver might write", _LINKS, call=CallStatus.VALUE, value=""),
    c("c-replaced", "replace its own program between two calls", _REPLACED, call=CallStatus.VALUE, value=""),
    c("c-gone", "remove its own program between two calls", 'unlink("program");', call=CallStatus.VALUE, value=""),
    c(
        "c-input",
        "write to its own input, and grow it",
        _IGNORES + 'for (int k = 0; k < 3000; k++) write(0, "0123456789", 10); ftruncate(0, 1L << 40);',
        call=CallStatus.VALUE,
        value="",
    ),
    Hostile(
        "cpp-threads",
        "start a thousand threads that never end",
        _CPP_THREADS,
        (Status.OK, Status.CPU_LIMIT),
        limits=LIMITS,
        language="cpp",
    ),
    Hostile("cpp-static", "never end before main begins", _CPP_STATIC, Status.CPU_LIMIT, limits=LOOPS, language="cpp"),
    Hostile(
        "cpp-terminate",
        "throw while it ends",
        _CPP_TERMINATE,
        (Status.OK, Status.CPU_LIMIT),
        (CallStatus.EXCEPTION, CallStatus.NOT_RUN),
        limits=replace(LIMITS, cpu_s=0.3),
        language="cpp",
    ),
)
