"""Answers to jobs that were executed before: `CachedExecutor`.

A key is the digest of everything that an outcome depends on: the program, its calls and limits, the runner, and
the interpreter and protections around it. Outcomes are remembered as JSON text and never as pickles, because what
a candidate returned is hostile data.

Each answer is decoded anew, for 15 µs (8 calls) to 70 µs (30 calls that gave lists), where an execution takes 4 ms.
Outcomes kept as objects would answer in 5 µs, but everyone who asks would share their mutable values, and 10,000 of
the larger ones would take 150 MiB, and 0.45 s of each full garbage collection; as text they take 20 MiB and 3 ms.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import weakref
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from code_envs.errors import ConfigurationError, ExecutorError
from code_envs.execution import boot, diagnostics, protocol
from code_envs.execution.executor import (
    CallResult,
    CallStatus,
    Capabilities,
    Diagnostic,
    Executor,
    Job,
    Limits,
    Outcome,
    Pending,
    Status,
)
from code_envs.execution.stores import MemoryStore, Store

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["CachedExecutor", "Statistics", "decode_outcome", "encode_outcome"]

FORMAT = 2  # of keys and stored outcomes: raise it when either changes
_ENDED_BY_CHANCE = frozenset({Status.POISON, Status.CPU_LIMIT, Status.WALL_LIMIT, Status.MEMORY_LIMIT})


# keys ---------------------------------------------------------------------------------------------


@cache
def _reader_digest() -> str:
    """Digest of the modules that read a runner's replies: they decide on the outcome as much as the runner does."""
    readers = (protocol.__file__, diagnostics.__file__)
    return hashlib.sha256(b"".join(Path(each).read_bytes() for each in readers)).hexdigest()


def _key_prefix(capabilities: Capabilities, language: str) -> _Hash:
    """The part of every key that an executor's jobs of one language have in common."""
    facts = {
        "format": FORMAT,
        "language": language,
        "tool": capabilities.tools.get(language, ""),
        "runner": boot.runner_digest().hex(),
        "reader": _reader_digest(),
        "environment": boot.ENVIRONMENT,
        "python": capabilities.python,
        "level": capabilities.level,
        "layers": sorted(capabilities.layers),
    }
    text = json.dumps(facts, sort_keys=True).encode()
    return hashlib.sha256(struct.pack("<Q", len(text)) + text)


@lru_cache(maxsize=256)
def _limits_text(limits: Limits) -> bytes:
    # what JSON cannot write is no usable limit: the wrapped executor will say so
    return json.dumps(asdict(limits), sort_keys=True, default=repr).encode()


_SIZES = struct.Struct("<?QQQQ")


def _job_key(prefix: _Hash, job: Job) -> bytes:
    """32 bytes for everything that the outcome of a job depends on; each field comes after its length."""
    entry = job.entry.encode(errors="surrogatepass")
    limits = _limits_text(job.limits)
    sizes = _SIZES.pack(job.trace, len(limits), len(entry), len(job.source), len(job.calls))
    digest = prefix.copy()
    digest.update(b"".join((sizes, limits, entry, job.source, job.calls)))
    return digest.digest()


# outcomes as text ---------------------------------------------------------------------------------

_write = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_read: Callable[[str], Any] = json.JSONDecoder().decode
_outcome_fields = attrgetter("status", "message", "line", "code", "cpu_s", "wall_s", "max_rss_kib")
_diagnostic_fields = attrgetter("severity", "message", "line", "column")
_result_fields = attrgetter("status", "value", "exception", "message", "line", "steps", "lines")
_STATUS = {str(status): status for status in Status}
_CALL_STATUS = {str(status): status for status in CallStatus}


def encode_outcome(outcome: Outcome) -> bytes:
    """An outcome as JSON text; `decode_outcome` gives an equal one back.

    Raises:
        ValueError: If a value is no JSON, or holds an integer of more digits than Python writes.
        RecursionError: If a value nests too deep.
    """
    results = [_result_fields(result) for result in outcome.results]
    # the surrogates that a candidate's text may hold pass as they are
    found = [_diagnostic_fields(each) for each in outcome.diagnostics]
    return _write([*_outcome_fields(outcome), found, results]).encode(errors="surrogatepass")


def decode_outcome(data: bytes) -> Outcome:
    """The outcome that `encode_outcome` wrote.

    Raises:
        ValueError: If it did not write this.
        RecursionError: If a value nests too deep.
    """
    try:
        status, message, line, code, cpu_s, wall_s, rss, found, rows = _read(data.decode(errors="surrogatepass"))
        results = tuple(
            [
                CallResult(_CALL_STATUS[call], value, exception, text, number, steps, tuple(lines))
                for call, value, exception, text, number, steps, lines in rows
            ]
        )
        said = tuple([Diagnostic(*each) for each in found])
        return Outcome(_STATUS[status], results, message, line, code, cpu_s, wall_s, rss, said)
    except (KeyError, TypeError) as error:
        raise ValueError(f"Not an outcome: {error!r}") from error


def _would_end_alike(outcome: Outcome, limits: Limits) -> bool:
    """Whether another execution would end as this one did; `CachedExecutor` says why some would not."""
    if outcome.status in _ENDED_BY_CHANCE:
        return False
    return outcome.cpu_s <= limits.cpu_s / 2 and outcome.wall_s <= protocol.wall_s(limits) / 2


# the executor -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a cache has done so far.

    Args:
        hits: Jobs that cost no execution, those that joined an execution under way included.
        misses: Jobs that were executed.
        stored: Outcomes that were remembered.
        skipped: Outcomes that were not, because another execution could end otherwise.
    """

    hits: int
    misses: int
    stored: int
    skipped: int

    @property
    def hit_rate(self) -> float:
        """Share of jobs that cost no execution; 0.0 before the first job."""
        return self.hits / max(self.hits + self.misses, 1)


class _Known:
    """A job whose outcome was remembered."""

    __slots__ = ("_outcome",)

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def done(self) -> bool:
        """Always: there is nothing to wait for."""
        return True

    def result(self) -> Outcome:
        """The outcome."""
        return self._outcome

    def cancel(self) -> bool:
        """Never: the job was executed."""
        return False


class _Shared:
    """One execution under way, and everyone who waits for it."""

    __slots__ = ("__weakref__", "_error", "_executor", "_outcome", "_pending", "askers", "key", "limits")

    def __init__(self, executor: CachedExecutor, key: bytes, limits: Limits, pending: Pending) -> None:
        self.key = key
        self.limits = limits
        self._executor = executor
        self._pending = pending
        self.askers = 1
        self._outcome: Outcome | None = None
        self._error: Exception | None = None

    def done(self) -> bool:
        """Whether `result` returns without waiting."""
        return self._outcome is not None or self._error is not None or self._pending.done()

    def cancel(self) -> bool:
        """Do not run the job if it still waits and nobody else asked for it; whether it is cancelled."""
        if self.askers > 1 or self._outcome is not None or not self._pending.cancel():
            return False
        self._executor._failed(self)
        return True

    def result(self) -> Outcome:
        """Wait for the outcome.

        Raises:
            ExecutorError: If the sandbox failed; everyone who waits for this execution gets the error.
            CancelledError: If it was cancelled.
        """
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            try:
                self._outcome = self._pending.result()
            except Exception as error:
                self._error = error
                self._executor._failed(self)
                raise
            self._executor._succeeded(self, self._outcome)
        return self._outcome


class CachedExecutor(Executor):
    """Answers a job that was executed before without executing it again.

    The answer equals the first outcome in everything, measured times included: they are those of the first
    execution. So nothing can be timed by running it repeatedly here: `measure_efficiency` needs the wrapped executor.
    A job that is submitted while an equal one is being executed waits for that one; both get the same
    object, to be read and not changed, as `CallResult.value` asks for anyway. A program that reads the clock, its
    process number or the system's randomness is answered with what it gave at first.

    Not remembered, because another execution could end otherwise:

    - failures of the sandbox, and `POISON`: the machine may have been the cause;
    - `CPU_LIMIT` and `WALL_LIMIT`, and whatever took more than half of its CPU time or wall clock: the same program
      takes longer on a busier machine, and a verdict that hangs on it must not be made permanent;
    - `MEMORY_LIMIT`: it may have been the machine whose memory was full.

    The first job starts a worker of the wrapped executor even if its outcome is known, because the interpreter and
    the protections that the worker reports are part of the key. To have a fast cache in front of a lasting one, wrap
    one `CachedExecutor` into another.

    Not safe for use from several threads at once. After a fork, the child executes anew what its parent has under
    way.

    Args:
        executor: Executes what is not known; closed together with this.
        store: Where outcomes are remembered, `MemoryStore()` by default; closed together with this.

    Raises:
        ConfigurationError: If an argument is of another type.
    """

    def __init__(self, executor: Executor, store: Store | None = None) -> None:
        if not isinstance(executor, Executor):
            raise ConfigurationError(
                f"executor must be an Executor, not {executor!r}. Create one with LocalExecutor(workers=2)."
            )
        if store is not None and not isinstance(store, Store):
            raise ConfigurationError(f"store must be None or a Store, such as SqliteStore(path), not {store!r}.")
        self._executor = executor
        self._store = MemoryStore() if store is None else store
        self._prefixes: dict[str, _Hash] = {}
        self._hits = self._misses = self._stored = self._skipped = 0
        self._closed = False
        self._adopt()

    def _adopt(self) -> None:
        """Belong to the current process, with no execution under way."""
        self._pid = os.getpid()
        # weak: an execution whose outcome nobody waits for any more is forgotten, and so not remembered
        self._under_way: weakref.WeakValueDictionary[bytes, _Shared] = weakref.WeakValueDictionary()

    @property
    def statistics(self) -> Statistics:
        """Hits, misses, and what became of the outcomes."""
        return Statistics(self._hits, self._misses, self._stored, self._skipped)

    def submit(self, job: Job) -> Pending:
        """Answer a job, or queue it; returns at once.

        Raises:
            ConfigurationError: If the job cannot be executed, or the store is damaged.
            ExecutorError: If the executor is closed, or the wrapped one cannot start.
        """
        if self._closed:
            raise ExecutorError("The executor is closed. Create a new one, or close it after the last job.")
        if os.getpid() != self._pid:
            self._adopt()
        key = self._key(job)
        known = self._under_way.get(key) or self._remembered(key)
        if known is not None:
            self._hits += 1
            if isinstance(known, _Shared):
                known.askers += 1
            return known
        shared = _Shared(self, key, job.limits, self._executor.submit(job))
        self._under_way[key] = shared
        self._misses += 1
        return shared

    def capabilities(self, language: str = "python") -> Capabilities:
        """The protections of the wrapped executor."""
        return self._executor.capabilities(language)

    def close(self) -> None:
        """Close the wrapped executor and the store. Safe to call twice; nothing can be used afterwards."""
        self._closed = True
        try:
            self._executor.close()
        finally:
            self._store.close()

    def _key(self, job: Job) -> bytes:
        prefix = self._prefixes.get(job.language)
        if prefix is None:
            prefix = _key_prefix(self._executor.capabilities(job.language), job.language)
            self._prefixes[job.language] = prefix
        return _job_key(prefix, job)

    def _remembered(self, key: bytes) -> _Known | None:
        data = self._store.get(key)
        if data is None:
            return None
        try:
            return _Known(decode_outcome(data))
        except RecursionError:
            return None  # nested almost as deep as Python goes, and asked for from deeper than when it was stored
        except ValueError as error:
            raise ConfigurationError(
                f"{self._store!r} is damaged: a value is no outcome ({error}). Delete it and begin with an empty one."
            ) from error

    def _failed(self, shared: _Shared) -> None:
        """The next one who submits this job has it executed."""
        if self._under_way.get(shared.key) is shared:
            del self._under_way[shared.key]

    def _succeeded(self, shared: _Shared, outcome: Outcome) -> None:
        if self._under_way.get(shared.key) is shared:
            del self._under_way[shared.key]
        if self._closed:
            return
        data = _storable(outcome, shared.limits)
        if data is None:
            self._skipped += 1
            return
        self._store.put(shared.key, data)
        self._stored += 1


def _storable(outcome: Outcome, limits: Limits) -> bytes | None:
    """The text to remember, or None."""
    if not _would_end_alike(outcome, limits):
        return None
    try:
        return encode_outcome(outcome)
    except (ValueError, RecursionError):
        return None  # a hostile value that could be read but cannot be written
