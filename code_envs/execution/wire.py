"""The frames between a client and its runner; both sides import this. Standard library only.

A request is a header of 36 bytes and a body: `BODY` (source length, entry length, steps + 1 with 0 for no
limit), the source, the entry's name, the JSON of the calls. A reply is a header of 44 bytes, which holds the runner's
own measurements, and a body, which the candidate's process wrote and which may be anything.
The first frame to a runner is its program, the first frame from it is `HELLO`, a length, and JSON.
"""

from __future__ import annotations

import struct

# magic, job, operation, flags, open_files, wall_ms, cpu_ms, memory_mib, file_kib, output_kib, body length
REQUEST = struct.Struct("<4sIBBHIIIIII")
BODY = struct.Struct("<IIQ")
# magic, job, end, code, flags, wall_us, cpu_us, max_rss_kib, minor_faults, reserved, body length
REPLY = struct.Struct("<4sIBBHQQIIII")
MAGIC = b"SBX1"
HELLO = b"SBXH"
# the operation of a request is the number of the program's language
LANGUAGES = {"python": 1, "c": 2, "cpp": 3, "javascript": 4, "java": 5}
TRACE = 1
# how a job's process ended: by itself, by a signal, at a limit; REFUSED: it could not be started or hardened
END_EXIT, END_SIGNAL, END_CPU, END_WALL, END_OUTPUT, END_REFUSED = range(6)
