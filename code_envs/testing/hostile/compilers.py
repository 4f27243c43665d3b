"""Programs that attack their compiler: read files through it, wear it out, or forge what it says."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus
from code_envs.testing.hostile.languages import LIMITS, c_probe, refused
from code_envs.testing.hostile.program import Hostile

__all__ = ["PROGRAMS"]

_EXISTS = """
#if __has_include("{secret_file}") || __has_include("{package_directory}/README.md") || __has_include("{unix}")
  printf("exists");
#endif
"""
_FORGED_LINES = """
#line 7 "candidate.c:1:1: error: forged\\n candidate.c"
int main(void) { return missing; }
#line 1 "{secret_file}"
#error candidate.c:3:3: error: forged
#line 4294967295 "\\n\\033[2Jcandidate.c"
int x = y;
"""
_HIDDEN = '#pragma GCC system_header\n#pragma GCC diagnostic ignored "-Wall"\n' + "#warning noise\n" * 3000
_MACROS = "".join(f"#define m{n} m{n + 1} m{n + 1} m{n + 1} m{n + 1}\n" for n in range(30)) + "int x = m0;\n"
_TEMPLATES = """
template <int N, typename T> struct pair_of {
  typename pair_of<N - 1, T[N]>::type left;
  typename pair_of<N - 1, T*>::type right;
  struct type { T left[2]; }; };
template <typename T> struct pair_of<0, T> { struct type {}; };
int main() { return sizeof(pair_of<800, int>); }
"""
_CONSTANT = """
constexpr unsigned long long endless(unsigned long long n) { while (true) n = n * 3 + 1; return n; }
static_assert(endless(1) == 0, "");
int main() {}
"""
_JAVA_HUGE = "class Main { static final String " + "".join(f"s{n} = s{n + 1} + s{n + 1}, " for n in range(60))
_JAVA_ESCAPES = r"""
/* \u002a\u002f class Other { static { throw new Error(); } } /* */
public class Main { public static void main(String[] words) { \u007d
"""

PROGRAMS = (
    refused(
        "include-file", "show a planted file in an error", '#include "{secret_file}"\nint main(void) { return 0; }\n'
    ),
    refused("include-next", "show it by another directive", '#include_next <{secret_file}>\n#import "{secret_file}"\n'),
    refused(
        "assemble-file",
        "put a planted file into the program",
        '__asm__("text: .incbin \\"{secret_file}\\"");\n'
        "#include <stdio.h>\nextern const char text[];\nint main(void) { puts(text); }\n",
    ),
    refused(
        "assemble-lines",
        "have the assembler quote a planted file",
        '__asm__(".include \\"{secret_file}\\"");\nint main(void) { return 0; }\n',
    ),
    refused(
        "assemble-environment",
        "put the environment of process 1 into the program",
        '__asm__(".incbin \\"/proc/1/environ\\"");\nint main(void) { return 0; }\n',
    ),
    c_probe("include-exists", "find out which files there are", _EXISTS),
    refused("include-zeros", "read a device without end", '#include "/dev/zero"\n#include "/dev/urandom"\n'),
    refused("include-first-process", "show the environment of process 1", '#include "/proc/1/environ"\n'),
    refused("include-environment", "show the compiler's environment", '#include "/proc/self/environ"\n'),
    refused("include-memory", "read memory and the terminal", '#include "/proc/self/mem"\n#include "/dev/tty"\n'),
    refused("include-output", "read what the compiler has said", '#error first\n#include "/proc/self/fd/2"\n'),
    refused("include-itself", "include itself without end", '#include "candidate.c"\nint main(void) { return x; }\n'),
    refused("array-bomb", "a program of many gigabytes", "int main[-1u]={1};\n"),
    refused(
        "section-bomb", "an object file without end", '__asm__(".rept 1000000000\\n.quad 1\\n.endr");\nint main;\n'
    ),
    refused("macro-bomb", "4 to the power of 30 words", _MACROS),
    refused("nesting-bomb", "a very deep expression", "int x = " + "(" * 200_000 + "1" + ")" * 200_000 + ";\n"),
    refused("template-bomb", "2 to the power of 800 types", _TEMPLATES, "cpp"),
    refused("constant-bomb", "compute without end while it compiles", _CONSTANT, "cpp"),
    refused(
        "plugin", "load code into the compiler", '#pragma GCC plugin "./p.so"\n#pragma comment(lib, "x")\n#error x\n'
    ),
    refused("forged-places", "forge what the compiler says", _FORGED_LINES),
    refused("hidden-errors", "hide errors behind warnings", _HIDDEN + "int main(void) { return a + b + c; }\n"),
    refused("binary-source", "a source of all bytes", bytes(range(256)) * 40),
    refused("java-strings", "constants that double 60 times", _JAVA_HUGE + 's60 = "x"; }\n', "java"),
    refused("java-escapes", "braces that are no braces", _JAVA_ESCAPES, "java"),
    Hostile(
        "long-source",
        "a source of ten million bytes",
        b"/*" + b"*" * 10_000_000 + b"*/\nint main(void) { return 0; }\n",
        call=CallStatus.VALUE,
        value="",
        limits=LIMITS,
        language="c",
    ),
)
