"""Java programs: few, because a virtual machine takes 0.4 s of CPU time to start, and so each tries several things."""

from __future__ import annotations

from dataclasses import replace

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.languages import LIMITS, LOOPS, java
from code_envs.testing.hostile.program import Hostile

__all__ = ["PROGRAMS"]

_ENDED = (CallStatus.VALUE, CallStatus.EXCEPTION)
_REACH = """
    java.nio.file.Path secret = java.nio.file.Path.of("{secret_file}");
    long parent = ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(1L);
    attempt("exec", () -> Runtime.getRuntime().exec("/bin/true"));
    attempt("builder", () -> new ProcessBuilder("/bin/sh", "-c", "id").start());
    attempt("fork", () -> new ProcessBuilder("/bin/true").inheritIO().start());
    attempt("read", () -> java.nio.file.Files.readString(secret));
    attempt("write", () -> java.nio.file.Files.writeString(secret, "x"));
    attempt("list", () -> java.nio.file.Files.list(secret.getParent()).toList());
    attempt("make", () -> java.nio.file.Files.createFile(secret.resolveSibling("java")));
    attempt("environ", () -> java.nio.file.Files.readString(java.nio.file.Path.of("/proc/1/environ")));
    attempt("parent", () -> java.nio.file.Files.readString(java.nio.file.Path.of("/proc/" + parent + "/environ")));
    attempt("memory", () -> new java.io.RandomAccessFile("/proc/" + parent + "/mem", "rw"));
    attempt("tcp", () -> new java.net.Socket("127.0.0.1", {port}));
    attempt("listen", () -> new java.net.ServerSocket(0));
    attempt("udp", () -> new java.net.DatagramSocket());
    attempt("unix", () -> java.nio.channels.SocketChannel.open(java.net.UnixDomainSocketAddress.of("{unix}")));
    attempt("url", () -> new java.net.URL("http://127.0.0.1:{port}/").openStream());
    attempt("jar", () -> new java.util.jar.JarFile("{secret_file}"));
    attempt("library", () -> { System.load("{secret_file}"); return 1; });
"""
_UNSAFE = """
    attempt("unsafe", () -> {
      java.lang.reflect.Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
      field.setAccessible(true);
      sun.misc.Unsafe unsafe = (sun.misc.Unsafe) field.get(null);
      unsafe.putAddress(0, 1);
      return 1;
    });
"""
_LAUNCHER = """
    attempt("launcher", () -> {
      var helper = Class.forName("sun.launcher.LauncherHelper");
      var method = helper.getDeclaredMethod("abort", Throwable.class, String.class, Object[].class);
      method.setAccessible(true);
      return method.invoke(null, null, "x", new Object[0]);
    });
    attempt("attach", () -> {
      var machine = Class.forName("com.sun.tools.attach.VirtualMachine");
      return machine.getMethod("attach", String.class).invoke(null, "1");
    });
    attempt("exec", () -> {
      var start = Class.forName("java.lang.ProcessImpl").getDeclaredMethods();
      for (var each : start) each.setAccessible(true);
      return 1;
    });
    attempt("descriptor", () -> { new java.io.FileOutputStream("/proc/self/fd/3").write(1); return 1; });
"""
_THREADS = """
    long end = System.nanoTime() + 10_000_000_000L;
    for (int k = 0; k < 1000 && System.nanoTime() < end; k++) {
      try { new Thread(() -> { while (System.nanoTime() < end); }).start(); } catch (Throwable none) { }
    }
"""

PROGRAMS = (
    java(
        "java-reach",
        "processes, signals, files, sockets and code of others",
        _REACH,
        call=CallStatus.VALUE,
        value="",
        is_probe=True,
    ),
    java(
        "java-launcher",
        "the launcher, other machines and descriptors",
        _LAUNCHER,
        call=CallStatus.VALUE,
        value="",
        is_probe=True,
    ),
    java("java-unsafe", "write to address zero", _UNSAFE, call=CallStatus.EXCEPTION, exception=("Crashed",)),
    java(
        "java-halt",
        "end well with half an answer",
        'System.out.print("1"); Runtime.getRuntime().halt(0);',
        call=CallStatus.VALUE,
    ),
    java("java-threads", "threads without end", _THREADS, status=Status.CPU_LIMIT, limits=LOOPS),
    java(
        "java-static",
        "never end before main begins",
        "",
        before="static { for (long k = 0; k < Long.MAX_VALUE; k++) if (k < 0) break; }",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
        least_cpu_s=0.5,
    ),
    java(
        "java-memory",
        "take all memory, of the heap and beside it",
        "java.util.List<Object> all = new java.util.ArrayList<>();\n"
        "try { for (;;) all.add(java.nio.ByteBuffer.allocateDirect(1 << 20)); } catch (OutOfMemoryError full) {}\n"
        "for (;;) all.add(new long[1 << 17]);",
        call=(*_ENDED, CallStatus.NOT_RUN),
        status=(Status.OK, Status.MEMORY_LIMIT, Status.CPU_LIMIT, Status.CRASHED),
    ),
    java(
        "java-hook",
        "sleep while it ends",
        "Runtime.getRuntime().addShutdownHook(new Thread(() -> { java.util.concurrent.locks.LockSupport.park(); }));",
        status=Status.WALL_LIMIT,
        limits=replace(LIMITS, wall_s=2.0),
    ),
    Hostile(
        "java-lang",
        "a class among the machine's own",
        "package java.lang;\npublic class String { public static void main(String[] words) {} }\n",
        Status.COMPILE_ERROR,
        CallStatus.NOT_RUN,
        limits=LIMITS,
        language="java",
    ),
)
