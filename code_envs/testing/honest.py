"""The honest job after each attack: its answers are known, and it tells everything that one job could leave.

There is one for each kind of process that runs a candidate: Python's, native programs and node's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from code_envs.execution.executor import CallStatus, Executor, Job, Limits, Outcome, Status
from code_envs.execution.values import decode
from code_envs.tasks.cases import Case, CaseSuite

__all__ = ["HonestJob"]

LIMITS = Limits(cpu_s=5.0, wall_s=30.0, memory_mib=256)
ARGUMENT = 21
RIGHT = [42, '{"a": [21, 1.5]}', True, 2, True, True, False]
SOURCE = """
# {planted}
import atexit, builtins, collections, decimal, gc, json, os, random, re, resource, signal, sys, threading
from fractions import Fraction
def f(x, planted):
    return [x * 2, json.dumps({"a": [x, 1.5]}), isinstance(x, int), len(sorted([x, x])), bool(re.match("a", "a")),
            decimal.Decimal(1) / 3 == decimal.Decimal("0.3333333333333333333333333333"), Fraction(1, 2) == Fraction(1)
            ] if x else state()
def handler(number):
    found = signal.getsignal(number)
    return int(found) if isinstance(found, int) else str(found is None or found.__name__)
def listing():
    try: return sorted(os.listdir("."))
    except OSError: return ["closed"]
def state():
    mask = os.umask(0o77)
    os.umask(mask)
    limits = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_STACK, resource.RLIMIT_DATA)
    return [
        os.getcwd(), listing(), os.stat(".").st_mode, sorted(os.environ), mask, len(vars(builtins)),
        sorted(sys.modules), sys.path, len(sys.meta_path), sys.getrecursionlimit(), sys.getswitchinterval(),
        sys.get_int_max_str_digits(), sys.gettrace() is None, gc.isenabled(), list(gc.get_threshold()),
        len(gc.callbacks), atexit._ncallbacks(), threading.active_count(),
        [handler(number) for number in range(1, 32)], sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        list(signal.getitimer(signal.ITIMER_REAL)), [list(resource.getrlimit(limit)) for limit in limits],
        os.getpriority(os.PRIO_PROCESS, 0), len(os.sched_getaffinity(0)), [os.fstat(n).st_rdev for n in (0, 1, 2)],
        collections.Counter(a=1) == collections.Counter(a=2),
    ]
"""
"""The first call uses what a program may have replaced, the second gives what must be the same in every job."""
C_SOURCE = r"""
/* {planted} */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
extern char **environ;
static int order(const void *one, const void *other) { return strcmp(*(char **)one, *(char **)other); }
static void list(const char *path, int only_count) {
  char *names[5000];
  int count = 0;
  DIR *open = opendir(path);
  for (struct dirent *each; open && count < 5000 && (each = readdir(open));)
    if (!only_count || (each->d_name[0] >= '0' && each->d_name[0] <= '9')) names[count++] = strdup(each->d_name);
  if (open) closedir(open);
  qsort(names, count, sizeof *names, order);
  printf("%s %d", path, count);
  for (int k = 0; k < count && !only_count; k++) printf(" %s", names[k]);
  puts("");
}
static void state(void) {
  char text[300];
  struct stat about;
  struct statvfs room;
  stat(".", &about);
  statvfs(".", &room);
  printf("%s %o %o %ld %ld\n", getcwd(text, 300), about.st_mode, umask(077), (long)room.f_bfree, (long)room.f_ffree);
  list(".", 0), list("/tmp", 0), list("/proc", 1), list("/proc/self/fd", 0);
  for (char **each = environ; *each; each++) puts(*each);
  for (int kind = 0; kind < 16; kind++) {
    struct rlimit limit;
    getrlimit(kind, &limit);
    if (kind != RLIMIT_CPU) printf("limit %d %ld %ld\n", kind, (long)limit.rlim_cur, (long)limit.rlim_max);
  }
  cpu_set_t all;
  sched_getaffinity(0, sizeof all, &all);
  printf("priority %d, scheduler %d, %d processors\n", getpriority(0, 0), sched_getscheduler(0), CPU_COUNT(&all));
  FILE *status = fopen("/proc/self/status", "r");
  const char *kept[] = {"Sig", "Shd", "Cap", "NoNew", "Seccomp:", "Threads", "Umask", "Groups"};
  while (status && fgets(text, 300, status))
    for (int k = 0; k < 8; k++)
      if (!strncmp(text, kept[k], strlen(kept[k])) && strncmp(text, "SigQ", 4)) printf("%s", text);
}
int main(void) {
  int number = 0;
  scanf("%d", &number);
  if (number) printf("%d\n", 2 * number); else state();
}
"""
JAVASCRIPT_SOURCE = """
// {planted}
const fs = require('fs'), os = require('os');
const before = Object.getOwnPropertyNames(globalThis).length;
const list = (path) => { try { return fs.readdirSync(path).sort(); } catch { return ['closed']; } };
function f(x, planted) {
  if (x) return [x * 2, JSON.stringify({a: [x, 1.5]}), [3, 1, 2].sort(), new Map([[1, 2]]).size, `${[1, 2]}`, x === 21];
  return [process.cwd(), list('.'), list('/tmp'), Object.keys(process.env).sort(), process.umask(), os.getPriority(),
          os.cpus().length, before, Math.random(), process.argv.length, process.execArgv, fs.statSync('.').mode,
          fs.statfsSync('.').bfree, fs.statfsSync('.').ffree, list('/proc').filter((n) => n > '0' && n < 'a').length];
}
"""


class _Form(NamedTuple):
    """An honest job in a language: its program and what it must give; programs without an entry read the arguments."""

    source: str
    entry: str
    right: Any


FORMS = {
    "python": _Form(SOURCE, "f", RIGHT),
    "c": _Form(C_SOURCE, "", f"{2 * ARGUMENT}\n"),
    "javascript": _Form(JAVASCRIPT_SOURCE, "f", [42, '{"a":[21,1.5]}', [1, 2, 3], 1, "1,2", True]),
}


class HonestJob:
    """A job whose answers are known, once it has been seen on an executor that nobody has attacked yet.

    Args:
        secret: What marks everything planted. It is in the program and in its arguments, so that memory which this
            job leaves behind can be searched for it.
        language: "python", "c" or "javascript".
    """

    def __init__(self, secret: str, language: str = "python") -> None:
        self.language = language
        self.form = FORMS[language]
        self.source = self.form.source.replace("{planted}", f"{secret}:previous").encode()
        self._argument = f"{secret}:argument"
        self._state: Any = None

    def suite(self) -> CaseSuite:
        """The tests that it must pass."""
        entry = self.form.entry
        expected = ((ARGUMENT, self.form.right), (0, self._state))
        cases = [([number, self._argument], each) for number, each in expected]
        if not entry:
            cases = [([" ".join(map(str, arguments))], each) for arguments, each in cases]
        tests = [Case.of(entry, arguments, each) for arguments, each in cases]
        return CaseSuite(entry, tests, language=self.language)

    def job(self, before: bytes = b"") -> Job:
        """The job; what stands before its program runs in the same process."""
        return self.suite().job(before + self.source, LIMITS)

    def remember(self, outcome: Outcome | None) -> None:
        """Take an outcome for what every later one must be.

        Raises:
            AssertionError: If it is none that an honest job may have.
        """
        last = outcome.results[-1:] if outcome is not None and outcome.status is Status.OK else ()
        if not last or last[0].status is not CallStatus.VALUE:
            raise AssertionError(f"Expected an honest job to work before any attack, got {outcome}.")
        self._state = decode(last[0].value)

    def passes(self, outcome: Outcome, executor: Executor) -> bool:
        """Whether the verdict on an outcome is the right one."""
        return all(self.suite().grade(outcome, executor).passed)

    def difference(self, outcome: Outcome) -> str:
        """How an outcome that does not pass differs from what it was."""
        values = [each.value for each in outcome.results]
        if [type(each) for each in values] == [str, str] and not self.form.entry:
            pairs = zip(self._state.splitlines(), values[1].splitlines(), strict=False)
        elif [type(each) for each in values] == [list, list]:
            pairs = zip([*self.form.right, *self._state], [*values[0], *values[1]], strict=False)
        else:
            return str(outcome)
        found = [f"{now!r} where {before!r} was before" for before, now in pairs if before != now]
        return "; ".join(found) or str(outcome)
