"""JavaScript programs: forge the report, lie with objects, reach out of the process, never end."""

from __future__ import annotations

from dataclasses import replace

from code_envs.execution.executor import CallStatus, Status
from code_envs.testing.hostile.languages import LIMITS, LOOPS, javascript, javascript_probe

__all__ = ["PROGRAMS"]

_VALUE, _OPAQUE, _EXCEPTION, _NOT_RUN = CallStatus.VALUE, CallStatus.OPAQUE, CallStatus.EXCEPTION, CallStatus.NOT_RUN
_TIMES = replace(LIMITS, wall_s=1.5)
_FORGED = """
const fs = require('fs');
const lines = '["r"]\\n["v","forged"]\\n["v",1]\\n';
"""
_FORGED_ENDING = """
function f(x) {
  require('fs').writeSync(3, '["v",1]\\n["v",2]\\n["l","memory_limit",0,""]\\n');
  process.reallyExit(0);
}
"""
_FORGED_COMPILER = """
const fs = require('fs');
fs.ftruncateSync(3);
fs.writeSync(3, '["d",1,"candidate.c:1:1: error: forged"]\\n', 0);
process.reallyExit(0);
"""
_SPAWN = """
const child = require('child_process');
const run = (result) => { if (result.error) throw result.error; return result.status; };
const wait = (started) => { if (started.pid === undefined) throw new Error('no process'); return started.pid; };
"""
_BINDINGS = """
const vm = require('vm'), tcp = process.binding('tcp_wrap');
const yes = (code) => { if (code) throw code; return 'done'; };
"""
_WORKERS = """
const {Worker} = require('worker_threads');
function f(x) {
  for (let k = 0; k < 40; k++) new Worker('for (;;);', {eval: true}).on('error', () => 1);
  return new Promise(() => 1);
}
"""
_SCRATCH = """
const fs = require('fs');
function f(x) {
  for (const name of ['harness.js', 'candidate.js']) { fs.rmSync(name); fs.symlinkSync('{secret_file}', name); }
  for (let k = 0; k < 80; k++) try { fs.writeFileSync('f' + k, Buffer.alloc(1000000)); } catch { break; }
  fs.chmodSync('.', 0);
  return x;
}
"""
_SOFT = """
const fs = require('fs');
const soft = () => {
  try { fs.symlinkSync('{secret_file}', 'soft'); } catch {}
  return fs.readFileSync('soft', 'utf8');
};
"""
_SOCKETS = """
const net = require('net'), dgram = require('dgram'), http = require('http');
async function f(x) {
  const reached = [];
  const attempt = (name, act) => new Promise((resolve) => {
    try {
      const each = act(() => { reached.push(name); resolve(); });
      each.on('error', resolve);
    } catch { resolve(); }
    setTimeout(resolve, 100).unref();
  });
  await attempt('tcp', (done) => net.connect({port}, '127.0.0.1', done));
  await attempt('unix', (done) => net.connect('{unix}', done));
  await attempt('abstract', (done) => net.connect('\\0{abstract}', done));
  await attempt('http', (done) => http.get('http://127.0.0.1:{port}/', done));
  await attempt('listen', (done) => net.createServer().listen(0, '127.0.0.1', done));
  await attempt('local', (done) => net.createServer().listen('/tmp/listener', done));
  await attempt('datagram', (done) => {
    const socket = dgram.createSocket('udp4');
    socket.send('out', {datagrams}, '127.0.0.1', (error) => { if (!error) done(); });
    return socket;
  });
  return reached;
}
"""
_FETCH = """
async function f(x) {
  const reached = [];
  const dns = require('dns').promises;
  const acts = [() => fetch('http://127.0.0.1:{port}/'), () => dns.resolve4('example.invalid'),
                () => fetch('file://{secret_file}'), () => import('http://127.0.0.1:{port}/x.mjs'),
                () => import('{secret_file}'), () => new (require('inspector').Session)().connectToMainThread(),
                () => { const i = require('inspector'); i.open(0); if (!i.url()) throw 1; i.close(); }];
  for (const [number, act] of acts.entries()) {
    try { await act(); reached.push(number); } catch {}
  }
  return reached;
}
"""
_WORKER = """
const {Worker} = require('worker_threads');
async function f(x) {
  const code = `
    const fs = require('fs'), {parentPort} = require('worker_threads');
    const reached = [];
    for (const act of [() => fs.readFileSync('{secret_file}', 'utf8'), () => process.kill(1, 0),
                       () => fs.readdirSync('/proc/1/fd'), () => process.chdir('/')]) {
      try { reached.push(String(act())); } catch {}
    }
    parentPort.postMessage(reached);`;
  return new Promise((resolve, reject) => {
    const worker = new Worker(code, {eval: true});
    worker.on('message', resolve);
    worker.on('error', reject);
  });
}
"""
_HARNESS = """
const fs = require('fs');
function f(x) {
  const reached = [];
  const needle = '{needle_backwards}'.split('').reverse().join('');
  const files = ['harness.js', 'candidate.js', '/proc/self/environ', '/proc/self/cmdline', '/proc/self/maps'];
  for (let k = 0; k < 64; k++) files.push(`/proc/self/fd/${k}`);
  for (const file of files) {
    let text = '';
    try {
      // not what it would wait for: the ends of its own pipes and events
      if (/^(anon_inode:|pipe:)/.test(file.includes('/fd/') ? fs.readlinkSync(file) : '')) continue;
      text = fs.readFileSync(file, 'latin1');
    } catch { continue; }
    if (text.includes(needle)) reached.push(file);
  }
  return reached;
}
"""
_DESCRIPTORS = """
const fs = require('fs');
function f(x) {
  const reached = [];
  for (let k = 3; k < 64; k++) {
    let target;
    try { target = fs.readlinkSync(`/proc/self/fd/${k}`); } catch { continue; }
    if (!/^(anon_inode:|pipe:|\\/dev\\/null|\\/proc\\/|\\/memfd:report)/.test(target)) reached.push(target);
  }
  return reached;
}
"""
_PROTOTYPES = """
const answer = 'forged';
JSON.stringify = () => `["v",${answer}]`;
Array.prototype.toJSON = function () { return ['v', answer]; };
Object.prototype.toJSON = function () { return answer; };
Array.isArray = () => { throw new Error('mine'); };
Object.keys = () => [];
String.prototype.slice = () => answer;
Buffer.byteLength = () => -1e9;
console.log = process.stdout.write = () => { throw new Error('mine'); };
Map.prototype.forEach = Set.prototype.forEach = Array.prototype.map = () => [];
Promise.prototype.then = function () { return this; };
globalThis.process = globalThis.Object = undefined;
function f(x) { return [answer]; }
"""
_LIAR = """
function f(x) {
  const same = {get: () => 1, has: () => true, getPrototypeOf: () => Object.prototype, ownKeys: () => ['a'],
                getOwnPropertyDescriptor: () => ({value: 1, enumerable: true, configurable: true})};
  const kinds = [new Proxy({}, same), {valueOf: () => 1, toString: () => '1', toJSON: () => 1},
                 {[Symbol.toPrimitive]: () => 1}, Object.create(null, {a: {get: () => 1, enumerable: true}})];
  return x === 1 ? kinds : new (class extends Number { get [Symbol.toStringTag]() { return 'x'; } })(1);
}
"""

PROGRAMS = (
    javascript(
        "js-exit", "end well before the call", "process.exit(0);\nfunction f(x) { return x; }", status=Status.EXITED
    ),
    javascript("js-exit-in-call", "end well in the call", "function f(x) { process.exit(0); }", status=Status.EXITED),
    javascript(
        "js-exit-at-exit",
        "report while it ends",
        _FORGED + "process.on('exit', () => fs.writeSync(3, lines));\nfunction f(x) { process.exit(0); }",
        status=(Status.EXITED, Status.BAD_OUTPUT),
    ),
    javascript(
        "js-forged-lines",
        "write the report itself and end",
        _FORGED + "fs.writeSync(3, lines);\nprocess.reallyExit(0);\nfunction f(x) { return x; }",
        status=(Status.OK, Status.BAD_OUTPUT),
    ),
    javascript(
        "js-forged-ending",
        "write what only its driver may write, and a limit that it did not reach",
        _FORGED_ENDING,
        status=Status.BAD_OUTPUT,
    ),
    javascript(
        "js-forged-compiler",
        "write what a compiler would say",
        _FORGED_COMPILER,
        status=Status.COMPILE_ERROR,
    ),
    javascript(
        "js-hidden-ending",
        "truncate the report, so that its end is lost",
        "const fs = require('fs');\nfunction f(x) { fs.ftruncateSync(3, 0); for (;;); }",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    javascript(
        "js-cut-line",
        "leave half a line before its driver's",
        "function f(x) { require('fs').writeSync(3, '[\"v\",[1'); process.abort(); }",
        status=Status.CRASHED,
    ),
    javascript(
        "js-long-report",
        "a report of gigabytes",
        _FORGED + "function f(x) { for (;;) fs.writeSync(3, lines.repeat(1000)); }",
        status=(Status.OUTPUT_LIMIT, Status.BAD_OUTPUT),
    ),
    javascript(
        "js-report-hole",
        "a report that is mostly hole",
        _FORGED + "function f(x) { process.on('SIGXFSZ', () => 1); fs.ftruncateSync(3, 2 ** 40); return x; }",
        status=(Status.OK, Status.OUTPUT_LIMIT, Status.EXITED),
    ),
    javascript(
        "js-prototypes",
        "replace everything that a harness uses",
        _PROTOTYPES,
        status=(Status.OK, Status.BAD_OUTPUT, Status.EXITED),
    ),
    javascript("js-liars", "objects that equal everything", _LIAR, call=(_VALUE, _OPAQUE)),
    javascript(
        "js-thenable",
        "a promise that gives something else each time",
        "let n = 0;\nfunction f(x) { return {then(resolve) { resolve(n++); }}; }",
        call=_OPAQUE,
    ),
    javascript(
        "js-getter",
        "a property that never ends",
        "function f(x) { return {get a() { for (;;); }}; }",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
        least_cpu_s=0.2,
    ),
    javascript(
        "js-long-array",
        "an array that is longer than everything",
        "function f(x) { return new Proxy([], {get: (array, key) => key === 'length' ? 2 ** 53 - 1 : 1}); }",
        call=_OPAQUE,
    ),
    javascript(
        "js-error",
        "an error that cannot be read",
        "function f(x) { throw new Proxy(new Error(), {get() { throw 1; }, getPrototypeOf() { throw 1; }}); }",
        call=_EXCEPTION,
    ),
    javascript(
        "js-stack-trace",
        "run while an error is described",
        "Error.prepareStackTrace = () => { for (;;); };\nfunction f(x) { throw new Error('x'); }",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    javascript_probe(
        "js-processes",
        "start processes",
        _SPAWN,
        spawn="wait(child.spawn('/bin/true').on('error', () => 1))",
        spawnSync="run(child.spawnSync('/bin/true'))",
        execSync="child.execSync('id')",
        fork="wait(child.fork('/dev/null').on('error', () => 1))",
        shell="run(child.spawnSync('cat {secret_file}', {shell: true}))",
    ),
    javascript_probe(
        "js-signals",
        "signal others, become others",
        "const os = require('os');",
        parent="process.kill(process.ppid, 0)",
        first="process.kill(1, 0)",
        all="process.kill(-1, 0)",
        group="process.kill(0, 0)",
        client="process.kill({client}, 0)",
        user="process.setuid(0)",
        groups="process.setgroups([0])",
        priority="os.setPriority(process.ppid, os.getPriority(process.ppid))",
        first_priority="os.setPriority(1, os.getPriority(1))",
    ),
    javascript_probe(
        "js-files",
        "read, list and change files outside",
        _SOFT,
        secret="fs.readFileSync('{secret_file}', 'utf8')",
        list="fs.readdirSync('{secret_dir}')",
        write="fs.writeFileSync('{secret_file}', 'x')",
        make="fs.mkdirSync('{secret_dir}/js')",
        link="fs.readlinkSync('{secret_dir}/link')",
        soft="soft()",
        password="fs.readFileSync('/etc/passwd', 'utf8')",
        memory="fs.openSync('/proc/1/mem', 'r')",
        environ="fs.readFileSync('/proc/' + process.ppid + '/environ', 'utf8')",
        descriptors="fs.readdirSync('/proc/' + process.ppid + '/fd')",
        maps="fs.readFileSync('/proc/1/maps', 'utf8')",
        adjust="fs.writeFileSync('/proc/self/oom_score_adj', '-1000')",
        root="fs.readdirSync('/')",
        package="fs.readdirSync('{package_directory}')",
        tool="fs.closeSync(fs.openSync('/usr/bin/env', 'r+'))",
        require_secret="require('{secret_file}')",
        url="fs.readFileSync(new URL('file://{secret_file}'), 'utf8')",
    ),
    javascript_probe(
        "js-bindings",
        "go round the modules that are there",
        _BINDINGS,
        dlopen="process.dlopen({exports: {}}, '{secret_file}')",
        spawn="yes(new (process.binding('process_wrap').Process)().spawn({file: '/bin/true', args: ['true']}))",
        tcp="yes(new tcp.TCP(tcp.constants.SOCKET).bind('127.0.0.1', 0))",
        code="vm.runInNewContext('this.constructor.constructor(`return process`)().kill(1, 0)', {Function})",
        main="process.mainModule.require('child_process').execSync('id')",
    ),
    javascript("js-sockets", "reach the machine's listeners", _SOCKETS, call=_VALUE, value=[], is_probe=True),
    javascript("js-fetch", "fetch, resolve, import and inspect", _FETCH, call=_VALUE, value=[], is_probe=True),
    javascript("js-worker", "reach out from a thread", _WORKER, call=_VALUE, value=[], is_probe=True),
    javascript(
        "js-harness", "find what is expected in files and descriptors", _HARNESS, call=_VALUE, value=[], is_probe=True
    ),
    javascript("js-descriptors", "find descriptors of others", _DESCRIPTORS, call=_VALUE, value=[], is_probe=True),
    javascript(
        "js-loop", "never end", "function f(x) { for (;;); }", status=Status.CPU_LIMIT, limits=LOOPS, least_cpu_s=0.2
    ),
    javascript("js-load-loop", "never load", "for (;;);", status=Status.CPU_LIMIT, limits=LOOPS, least_cpu_s=0.2),
    javascript(
        "js-microtasks",
        "never leave a promise's turn",
        "async function f(x) { for (;;) await null; }",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
        least_cpu_s=0.2,
    ),
    javascript(
        "js-timers",
        "timers without end",
        "function f(x) { setInterval(() => 1, 1); return new Promise(() => 1); }",
        status=Status.WALL_LIMIT,
        limits=replace(_TIMES, cpu_s=2.0),
    ),
    javascript(
        "js-never",
        "a promise that is never settled",
        "function f(x) { return new Promise(() => 1); }",
        status=Status.EXITED,
    ),
    javascript(
        "js-wait",
        "wait for nobody",
        "function f(x) { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }",
        status=Status.WALL_LIMIT,
        limits=_TIMES,
    ),
    javascript(
        "js-pattern",
        "a regular expression that takes for ever",
        "function f(x) { return /^(a+)+$/.test('a'.repeat(60) + 'b'); }",
        status=Status.CPU_LIMIT,
        limits=LOOPS,
    ),
    javascript(
        "js-workers",
        "threads that never end",
        _WORKERS,
        status=(Status.CPU_LIMIT, Status.MEMORY_LIMIT, Status.CRASHED),
    ),
    javascript(
        "js-memory",
        "take all memory",
        "function f(x) { const all = []; for (;;) all.push(new Array(100000).fill(all)); }",
        status=(Status.MEMORY_LIMIT, Status.CPU_LIMIT),
    ),
    javascript(
        "js-buffers",
        "take all memory beside the heap",
        "function f(x) { const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1)); }",
        call=(_EXCEPTION, _NOT_RUN),
        status=(Status.OK, Status.MEMORY_LIMIT, Status.CPU_LIMIT, Status.CRASHED),
    ),
    javascript("js-text", "a text of a gigabyte", "function f(x) { return 'a'.repeat(2 ** 29); }", call=_EXCEPTION),
    javascript(
        "js-long-text", "a text that is too long", "function f(x) { return 'a'.repeat(2 ** 28); }", call=_OPAQUE
    ),
    javascript("js-number", "a very large number", "function f(x) { return 1n << (1n << 40n); }", call=_EXCEPTION),
    javascript(
        "js-digits",
        "a number of a million digits",
        "function f(x) { return 1n << 4000000n; }",
        call=_VALUE,
        status=(Status.OK, Status.OUTPUT_LIMIT),
    ),
    javascript("js-recursion", "recurse without end", "function f(x) { return f(x + 1) + 1; }", call=_EXCEPTION),
    javascript(
        "js-deep-value",
        "a very deep value",
        "function f(x) { let a = []; for (let k = 0; k < 1e5; k++) a = [a]; return a; }",
        call=_OPAQUE,
    ),
    javascript("js-abort", "crash", "function f(x) { process.abort(); }", status=Status.CRASHED),
    javascript(
        "js-late-error",
        "fail after it has answered",
        "function f(x) { setImmediate(() => { throw new Error('late'); }); return x; }",
        status=(Status.OK, Status.EXITED),
    ),
    javascript(
        "js-scratch",
        "fill and close the scratch directory, and put links where its driver might write",
        _SCRATCH,
        call=_VALUE,
    ),
)
