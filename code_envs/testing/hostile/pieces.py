"""Programs that hide forbidden names from whoever reads them, by building the names from pieces.

A grader that rejects texts with `import os` or `eval` is passed by every one of these; what counts is that what
they reach is denied. Each ends in the same three acts: start a process, read a planted file, open a connection.
"""

from __future__ import annotations

from code_envs.testing.hostile.program import probe

__all__ = ["PROGRAMS"]

_ACTS = """
def f(x):
    reached = []
    module = get('o' + 's')
    for name, act in (('fork', lambda: child(module)), ('file', lambda: secret(module)), ('connection', connect)):
        try: reached.append(f'{name} gave {act()}')
        except OSError: pass
    return reached
def child(module):
    number = getattr(module, 'fo' + 'rk')()
    if number == 0: getattr(module, '_ex' + 'it')(0)
    return number
def secret(module):
    return getattr(module, 're' + 'ad')(getattr(module, 'op' + 'en')('{secret_file}', 0), 99)
def connect():
    socket = get('sock' + 'et')
    return socket.create_connection(('127.0.0.1', {port}), 0.2).getpeername()
"""
_WAYS = {
    "pieces-getattr": (
        "the import function by getattr",
        "def get(name): return getattr(__builtins__, '__imp' + 'ort__')(name)\n",
    ),
    "pieces-dict": (
        "the import function out of the dictionary of built-in names",
        """
def get(name): return vars(__builtins__)[''.join(map(chr, (95, 95, 105, 109, 112, 111, 114, 116, 95, 95)))](name)
""",
    ),
    "pieces-subclasses": (
        "modules from the subclasses of object",
        """
def get(name):
    for each in ().__class__.__base__.__subclasses__():
        spaces = getattr(getattr(each, '__init__', None), '__globals__', {})
        if 'sys' in spaces and hasattr(spaces['sys'], 'modules'):
            modules = spaces['sys'].modules
            if name in modules: return modules[name]
    return vars(__builtins__)['__import__'](name)
""",
    ),
    "pieces-importlib": (
        "importlib, with names spelt backwards",
        """
import importlib
def get(name): return importlib.import_module(name[::-1][::-1])
""",
    ),
    "pieces-exec": (
        "a program in base64",
        """
import base64
exec(base64.b64decode('ZGVmIGdldChuYW1lKTogcmV0dXJuIF9faW1wb3J0X18obmFtZSk='))
""",
    ),
    "pieces-rot13": (
        "a program in rot13",
        """
import codecs
exec(codecs.decode('qrs trg(anzr): erghea __vzcbeg__(anzr)', 'rot13'))
""",
    ),
    "pieces-code": (
        "a function from a code object",
        """
def plain(name): return __import__(name)
get = type(plain)(compile('__import__(name)', '', 'eval').replace(
    co_varnames=('name',), co_argcount=1, co_nlocals=1, co_names=plain.__code__.co_names,
    co_code=plain.__code__.co_code, co_consts=plain.__code__.co_consts,
    co_stacksize=9, co_flags=plain.__code__.co_flags), globals())
""",
    ),
    "pieces-frames": (
        "modules from the frames above",
        """
def get(name):
    try: raise ValueError
    except ValueError as error: frame = error.__traceback__.tb_frame
    while frame.f_back is not None: frame = frame.f_back
    return frame.f_builtins['__imp' 'ort__'](name)
""",
    ),
    "pieces-loader": (
        "the loader of a module that is there",
        """
import abc
def get(name):
    bootstrap = type(abc.__spec__).__init__.__globals__
    return bootstrap['_gcd_import'](name)
""",
    ),
    "pieces-format": (
        "a format string that reads attributes",
        """
import string
class Reader(string.Formatter):
    def format_field(self, value, spec):
        found.append(value)
        return ''
found = []
def get(name):
    Reader().format('{0.__globals__[__builtins__]}', get)
    space = found[-1] if isinstance(found[-1], dict) else vars(found[-1])
    return space['__import__'](name)
""",
    ),
    "pieces-unicode": (
        "names in letters that Python takes for others",
        "def get(name): return \uff47\uff45\uff54\uff41\uff54\uff54\uff52(__builtins__, '__import__')(name)\n",
    ),
    "pieces-pickle": (
        "a pickle that imports",
        """
import pickle
def get(name): return pickle.loads(b'cbuiltins\\n__import__\\n(V' + name.encode() + b'\\ntR.')
""",
    ),
}

PROGRAMS = tuple(
    probe(name, f"{attempts}, then a process, a file and a connection", source + _ACTS)
    for name, (attempts, source) in _WAYS.items()
)
