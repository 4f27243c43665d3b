"""Forms of hostile programs in C, C++, JavaScript and Java, see `code_envs.testing.hostile.program`.

A C, C++ or Java program is run twice, with the texts "1" and "2" as its input; a JavaScript program's function is `f`.
Where a probe succeeds it says so: on standard output, or in the list that `f` gives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from code_envs.execution.executor import CallStatus, Limits, Status
from code_envs.testing.hostile.program import Hostile

__all__ = ["LIMITS", "LOOPS", "SLEEPS", "c", "c_probe", "java", "javascript", "javascript_probe", "refused"]

LIMITS = Limits(cpu_s=0.5, wall_s=20.0, memory_mib=128)
LOOPS = replace(LIMITS, cpu_s=0.25)
SLEEPS = replace(LIMITS, wall_s=0.7)

_C = """
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>
/* says so where an attempt does not give -1 */
#define REACHED(attempt) do { if ((long)(attempt) != -1) printf("%s ", #attempt); } while (0)
/* says so where the kernel looks further than at who asks */
#define LET_THROUGH(attempt) do { if ((long)(attempt) != -1 || !refused()) printf("%s ", #attempt); } while (0)
static inline int refused(void) { return errno == EPERM || errno == ENOSYS || errno == ESRCH; }
/* a process that should not be there goes at once */
static inline long ends(long pid) { if (pid == 0) _exit(0); return pid; }
"""


def c(name: str, attempts: str, body: str, *, before: str = "", **how: Any) -> Hostile:
    """A C program.

    Args:
        name: Of the program.
        attempts: What it tries.
        body: Of `main`.
        before: What stands before it.
        how: How it must end, see `Hostile`.
    """
    source = f"{_C}{before}\nint main(int count, char **words) {{\n{body}\nreturn 0;\n}}\n"
    return Hostile(name, attempts, source, language="c", **({"limits": LIMITS} | how))


def c_probe(name: str, attempts: str, body: str, *, before: str = "") -> Hostile:
    """A C program that says what it reached, which must be nothing."""
    return c(name, attempts, body, before=before, call=CallStatus.VALUE, value="", is_probe=True)


def refused(name: str, attempts: str, source: str | bytes, language: str = "c") -> Hostile:
    """A program that attacks its compiler, and must not compile."""
    return Hostile(name, attempts, source, Status.COMPILE_ERROR, CallStatus.NOT_RUN, limits=LIMITS, language=language)


def javascript(name: str, attempts: str, source: str, *, status: Any = Status.OK, **how: Any) -> Hostile:
    """A JavaScript program."""
    return Hostile(name, attempts, source, status, language="javascript", **({"limits": LIMITS} | how))


_PROBE = """
function f(x) {
  const reached = [];
  const attempt = (name, act) => {
    try {
      reached.push(`${name} gave ${String(act())}`.slice(0, 200));
    } catch {
      // denied, as it should be
    }
  };
ATTEMPTS
  return reached;
}
"""


def javascript_probe(name: str, attempts: str, before: str = "", **expressions: str) -> Hostile:
    """A JavaScript program that evaluates expressions, all of which must throw.

    Args:
        name: Of the program.
        attempts: What it tries.
        before: What stands before the function.
        expressions: Each with a name.
    """
    lines = "\n".join(f"  attempt('{key}', () => {each});" for key, each in expressions.items())
    source = before + _PROBE.replace("ATTEMPTS", lines)
    return javascript(name, attempts, source, call=CallStatus.VALUE, value=[], is_probe=True)


def java(name: str, attempts: str, body: str, *, before: str = "", status: Any = Status.OK, **how: Any) -> Hostile:
    """A Java program.

    Args:
        name: Of the program.
        attempts: What it tries.
        body: Of `main`; `attempt("name", () -> ...)` says so where an expression does not throw.
        before: Members of the class.
        status: How the job may end.
        how: How it must end, see `Hostile`.
    """
    source = _JAVA.replace("BEFORE", before).replace("BODY", body)
    return Hostile(name, attempts, source, status, language="java", **({"limits": LIMITS} | how))


_JAVA = """
import java.util.concurrent.Callable;
public class Main {
  static void attempt(String name, Callable<?> act) {
    try { System.out.print(name + " gave " + act.call() + " "); } catch (Throwable denied) { }
  }
BEFORE
  public static void main(String[] words) throws Throwable {
BODY
  }
}
"""
