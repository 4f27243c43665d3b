"""Programs that turn on what runs them: its frames, its objects, its modules and its memory."""

from __future__ import annotations

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.program import Hostile, probe

__all__ = ["PROGRAMS"]

_ANY_END = (Status.OK, Status.EXITED, Status.BAD_OUTPUT)

# the pattern is spelt so that neither it nor the source matches it
_WANTED = """
import gc, re, sys
gc.unfreeze()  # what the runner froze before its forks would not be among the collector's objects
wanted = re.compile("{needle_backwards}"[::-1] + "[:][a-z0-9:]+")
def texts(value, depth=3):
    kind = type(value)
    if kind is str:
        return wanted.findall(value)
    if kind in (bytes, bytearray):
        return wanted.findall(value.decode('latin-1'))
    if depth and kind in (list, tuple, set, frozenset, dict):
        items = [*value.keys(), *value.values()] if kind is dict else list(value)
        return [each for item in items for each in texts(item, depth - 1)]
    return []
"""
_SEARCH = """
def f(x):
    frame, found = sys._getframe(), []
    while frame is not None:
        found += texts(frame.f_locals) + texts(frame.f_globals)
        frame = frame.f_back
    for holder in gc.get_objects():
        found += texts(holder, 1)
    return sorted(set(found))
"""
_FRAMES = """
def f(x):
    # the published walk: up to the grader's frame, whose local variables hold the expected output
    frame = sys._getframe()
    while frame is not None:
        for name, value in list(frame.f_locals.items()):
            if found := texts(value):
                return found[0]
        frame = frame.f_back
    return []
"""
_TRACEBACK = """
def f(x):
    found = []
    try:
        raise KeyError
    except KeyError as error:
        frame = error.__traceback__.tb_frame
        while frame is not None:
            code = frame.f_code
            found += texts(code.co_consts) + texts(dict(frame.f_locals)) + texts(dict(frame.f_builtins), 1)
            frame = frame.f_back
    return sorted(set(found))
"""
_GENERATOR = """
def f(x):
    found = []
    def walk():
        frame = running.gi_frame
        while frame is not None:
            found.extend(texts(dict(frame.f_locals)))
            frame = frame.f_back
        yield
    running = walk()
    next(running)
    return sorted(set(found))
"""
_REFERRERS = """
def f(x):
    found, seen, layer = [], set(), [f, texts, sys.modules[__name__]]
    for _ in range(3):
        layer = [each for each in gc.get_referrers(*layer) if id(each) not in seen and each is not layer][:2000]
        seen.update(map(id, layer))
        for each in layer:
            found += texts(each, 2)
    return sorted(set(found))
"""
_PROFILE = """
found = set()
def look(frame, event, value):
    while frame is not None:
        found.update(texts(dict(frame.f_locals), 2))
        frame = frame.f_back
def f(x):
    sys.setprofile(look)
    len([])
    sys.setprofile(None)
    return sorted(found)
"""
_MODULES = """
def f(x):
    found = []
    for module in list(sys.modules.values()):
        found += texts(dict(getattr(module, '__dict__', {})), 3)
        found += [each for name in ('argv', 'orig_argv', 'path', 'warnoptions')
                  for each in texts(getattr(module, name, None))]
    return sorted(set(found))
"""
_MEMORY = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
PAGE = 4096
def pages(start, count):
    # the kernel refuses to copy what is not mapped, where a read would crash
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    for number in range(count):
        address = start + number * PAGE
        if libc.write(writer, ctypes.c_void_p(address), ctypes.c_size_t(PAGE)) == PAGE:
            yield os.read(reader, PAGE)
    os.close(reader)
    os.close(writer)
def f(x):
    found = set()
    for anchor in (id(gc), id(texts), id(object()), ctypes.addressof(ctypes.create_string_buffer(1 << 17))):
        start = (anchor >> 22 << 22) - (1 << 22)
        for page in pages(start, 3 << 10):
            found.update(wanted.findall(page.decode('latin-1')))
    return sorted(found)
"""
_LEFT_MEMORY = """
def f(x):
    # memory that was freed is handed out again, with what was in it
    found = set()
    import ctypes
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    for size in (64, 256, 1024, 4096, 16384, 65536):
        for _ in range(64):
            place = libc.malloc(ctypes.c_size_t(size))
            if place:
                found.update(wanted.findall(ctypes.string_at(place, size).decode('latin-1')))
    return sorted(found)
"""

_SEARCHES = (
    probe("search", "find the expected value in frames and memory", _WANTED + _SEARCH, searches=True),
    probe("frame-walk", "walk up the frames to the expected output", _WANTED + _FRAMES, searches=True),
    probe("traceback-walk", "walk up the frames from an exception", _WANTED + _TRACEBACK, searches=True),
    probe("generator-walk", "walk up the frames from a generator", _WANTED + _GENERATOR, searches=True),
    probe("referrers", "follow references backwards from its own function", _WANTED + _REFERRERS, searches=True),
    probe("profile", "look at every frame from a profiling hook", _WANTED + _PROFILE, searches=True),
    probe("modules", "search all modules", _WANTED + _MODULES, searches=True),
    probe("raw-memory", "search the memory around its own objects", _WANTED + _MEMORY, searches=True),
    probe("freed-memory", "search memory that an earlier job freed", _WANTED + _LEFT_MEMORY),
)

_CHANGES = (
    Hostile(
        "patched",
        "replace what reports",
        """
import builtins, json, json.encoder, sys
for name, module in list(sys.modules.items()):
    for key in ("encode", "dumps", "matches", "Program", "Report", "plain_call"):
        if hasattr(module, key):
            try: setattr(module, key, lambda *a, **k: '["v",42]')
            except Exception: pass
json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda self, value: '["v",42]'
builtins.isinstance = lambda *a: True
builtins.type = builtins.len = builtins.issubclass = lambda *a: int
builtins.__build_class__ = None
def f(x): return 7
""",
        _ANY_END,
    ),
    Hostile(
        "patched-frames",
        "replace the runner's own functions through its frames",
        """
import sys
def f(x):
    frame = sys._getframe(1)
    while frame is not None:
        for name in ('codec', '_dumps', '_text', '_line', 'os', 'RESULTS'):
            if name in frame.f_globals:
                frame.f_globals[name] = lambda *_: '["v",42]'
        frame = frame.f_back
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "second-report",
        "report a second result through the runner's own object",
        """
import gc, sys
def f(x):
    for each in gc.get_objects():
        if type(each).__name__ == 'Report':
            each(['v', 42])
    frame = sys._getframe(1)
    while frame is not None:
        report = getattr(frame.f_locals.get('self'), 'report', None)
        if report is not None:
            report(['v', 42])
        frame = frame.f_back
    return 7
""",
        Status.BAD_OUTPUT,
    ),
    Hostile(
        "swapped-code",
        "give the runner's functions other code",
        """
import gc, types
def liar(self, *arguments): return ['v', 42]
def f(x):
    for each in gc.get_objects():
        if type(each) is types.FunctionType and each.__name__ in ('plain_call', 'counted_call', 'encode', 'run'):
            try: each.__code__ = liar.__code__
            except ValueError: pass
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "trace-hook",
        "change the runner's local variables from a tracing hook",
        """
import ctypes, sys
def hook(frame, event, value):
    frame.f_locals.update(expected=7, result=['v', 42], arguments=[42])
    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)
    return hook
def f(x):
    frame = sys._getframe(1)
    while frame is not None:
        frame.f_trace = hook
        frame = frame.f_back
    sys.settrace(hook)
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "own-calls",
        "change the arguments of the calls to come",
        """
import gc
def f(x):
    for each in gc.get_objects():
        if type(each) is list and each == [[1], [2]]:
            each[:] = []
    return 7
""",
        _ANY_END,
    ),
    Hostile(
        "no-modules",
        "take away every module",
        """
import sys
sys.modules.clear()
def f(x): return 7
""",
        _ANY_END,
    ),
    Hostile(
        "no-builtins",
        "take away every built-in name",
        """
import builtins
vars(builtins).clear()
def f(x): return 7
""",
        _ANY_END,
    ),
    Hostile(
        "import-hook",
        "answer every later import with a module of its own",
        """
import builtins, sys
class Finder:
    def find_spec(self, name, *_): sys.exit(0)
sys.meta_path[:] = [Finder()]
sys.path_hooks.clear()
builtins.__import__ = lambda *_, **__: Finder()
def f(x): return 7
""",
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "own-globals",
        "replace the namespace that it is looked up in",
        """
import sys
class Answers(dict):
    def get(self, name, default=None): return lambda x: 42
sys.modules[__name__] = type(sys)('other')
globals().update(__name__='__main__', __builtins__={})
def f(x): return 7
""",
        call=CallStatus.VALUE,
        value=7,
    ),
    Hostile(
        "poked-int",
        "give the number 2 another value in memory",
        """
import ctypes
def f(x):
    ctypes.c_int.from_address(id(2) + 24).value = 42
    return 7
""",
        (*_ANY_END, Status.CRASHED),
    ),
    Hostile(
        "poked-type",
        "give all ints another way to compare",
        """
import ctypes, gc
def f(x):
    methods = gc.get_referents(int.__dict__)[0]
    methods['__eq__'] = lambda *_: True
    methods['bit_length'] = lambda *_: 0
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(int))
    return 7
""",
        (*_ANY_END, Status.CRASHED),
    ),
)

PROGRAMS = (*_SEARCHES, *_CHANGES)
