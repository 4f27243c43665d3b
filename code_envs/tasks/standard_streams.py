"""A program for the sandbox: runs a whole Python program on a text as its standard input.

`code_envs.tasks.whole_programs` sends this text with the candidate's program in front of it, compiled and called
`CODE_ENVS_CODE`. Streams are in memory, the same on every machine: descriptors 0 and 1 are not the program's, so
`os.read(0, n)` finds nothing, while `open(0)` and `sys.stdin.buffer` work. Standard library only.
"""

import atexit
import builtins
import inspect
import io
import sys
from typing import Any

__all__ = ["ENTRY", "code_envs_program", "output_lines"]

ENTRY = "main"


def output_lines(text: str) -> str:
    """A text as outputs are compared: lines that are empty, and spaces around and between words, do not count."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def code_envs_program(text: str) -> str:
    """What the program writes for a standard input.

    A program that writes nothing but has a function `main` of one parameter is that function: it gets the input and
    gives the output.

    Raises:
        RuntimeError: If the program ends with an exit code other than 0.
        TypeError: If `main` gives no text.
    """
    given = io.TextIOWrapper(io.BytesIO(text.encode(errors="surrogatepass")), "utf-8", "surrogatepass")
    kept = io.BytesIO()
    written = io.TextIOWrapper(kept, "utf-8", "surrogatepass", newline="\n", write_through=True)
    last: list[Any] = []
    namespace = {"__name__": "__main__", "__builtins__": builtins, "open": _opening(given, written)}
    register = atexit.register
    sys.stdin = sys.__stdin__ = given  # type: ignore[misc]  # typeshed holds the second for fixed
    sys.stdout = sys.__stdout__ = written  # type: ignore[misc]
    atexit.register = lambda function, *args, **kwargs: last.append((function, args, kwargs)) or function  # type: ignore
    try:
        _run(namespace)
        for function, args, kwargs in reversed(last):
            function(*args, **kwargs)
    finally:
        atexit.register = register
    if sys.stdout is not written and not sys.stdout.closed:
        sys.stdout.flush()
    output = kept.getvalue().decode("utf-8", "replace")
    return output_lines(output or _called(namespace, text))


def _run(namespace: dict[str, Any]) -> None:
    try:
        exec(globals()["CODE_ENVS_CODE"], namespace)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise RuntimeError(f"the program ended with exit code {end.code}") from None


def _opening(given: io.TextIOWrapper, written: io.TextIOWrapper) -> Any:
    """`open`, for which 0 and 1 are the streams."""

    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        streams = {0: given, 1: written}
        if isinstance(file, int) and file in streams:
            binary = "b" in str(args[0] if args else kwargs.get("mode", "r"))
            return streams[file].buffer if binary else streams[file]
        return open(file, *args, **kwargs)

    return opened


def _called(namespace: dict[str, Any], text: str) -> str:
    main = namespace.get(ENTRY)
    if not inspect.isfunction(main) or len(inspect.signature(main).parameters) != 1:
        return ""
    output = main(text)
    if not isinstance(output, str):
        raise TypeError(f"{ENTRY} gives a {type(output).__name__}, not a str")
    return output
