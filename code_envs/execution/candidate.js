'use strict';
// One JavaScript candidate inside its own process: load it, call it, report each call; the twin of candidate.py.
//
// Standard input holds {"entry", "limit", "calls"} as JSON; the program is the file candidate.js beside this one. The
// report is one JSON list per line on descriptor 3: ["r"] or what kept the program from loading, then per call
// ["v", value], ["o", kind] (opaque) or ["e", class, message, line]. An empty entry only compiles the program.
//
// Values are encoded as in codec.py, with two tags more: "u" is undefined, "m" a Map. Everything that the candidate
// could replace by accident (a polyfill, a helper of its own) is taken before it is loaded.

const fs = require('fs');
const vm = require('vm');

const RESULTS = 3;
const FILE = 'candidate.js';
const MAX_DEPTH = 150, MAX_NODES = 200000, MAX_TEXT = 1 << 20, MAX_MESSAGE = 200;

const {writeSync} = fs;
const {stringify} = JSON;
const {isArray} = Array;
const {isFinite, isInteger, isSafeInteger} = Number;
const {is, getPrototypeOf, keys} = Object;
const {reallyExit} = process;
const exit = (code) => reallyExit.call(process, code);
const fromEntries = Object.fromEntries;
const Known = {Map, Set, Promise, Error, SyntaxError, BigInt, String};
const entriesOf = Function.prototype.call.bind(Map.prototype.forEach);
const membersOf = Function.prototype.call.bind(Set.prototype.forEach);
const lineOf = RegExp.prototype[Symbol.match].bind(/candidate\.js:(\d+)/);
const cut = Function.prototype.call.bind(String.prototype.slice);
const hex = Function.prototype.call.bind(BigInt.prototype.toString);

class Opaque {
  constructor(kind) { this.kind = kind; }
}

function encode(value, depth, budget) {
  switch (typeof value) {
    case 'boolean': return value;
    case 'string': if (value.length > MAX_TEXT) throw new Opaque('too big'); return value;
    case 'number': return number(value);
    case 'undefined': return {u: []};
    case 'bigint': return {i: value < 0n ? '-0x' + hex(-value, 16) : '0x' + hex(value, 16)};
    case 'object': return value === null ? null : structure(value, depth, budget);
    default: throw new Opaque(typeof value);
  }
}

function number(value) {
  if (value !== value) return {f: 'nan'};
  if (!isFinite(value)) return {f: value > 0 ? 'inf' : '-inf'};
  if (is(value, -0)) return {f: '-0.0'};
  // the digits of a larger integer are not its value: 2 ** 60 is written as 1152921504606847000
  return isInteger(value) && !isSafeInteger(value) ? {f: Known.String(value)} : value;
}

function structure(value, depth, budget) {
  if (depth >= MAX_DEPTH) throw new Opaque('too big');
  const inner = (item) => {
    budget.left -= 1;
    if (budget.left < 0) throw new Opaque('too big');
    return encode(item, depth + 1, budget);
  };
  const out = [];
  if (isArray(value)) {
    const count = value.length;
    for (let index = 0; index < count; index++) out[index] = inner(value[index]);
    return out;
  }
  if (value instanceof Known.Set) {
    membersOf(value, (item) => { out[out.length] = inner(item); });
    return {s: out};
  }
  if (value instanceof Known.Map) {
    entriesOf(value, (item, key) => { out[out.length] = [inner(key), inner(item)]; });
    return {m: out};
  }
  const prototype = getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) throw new Opaque(kindOf(value));
  const names = keys(value);
  for (let index = 0; index < names.length; index++) out[index] = [inner(names[index]), inner(value[names[index]])];
  return {d: out};
}

function kindOf(value) {
  try {
    return cut(Known.String(value.constructor.name), 0, MAX_MESSAGE);
  } catch {
    return 'object';  // the candidate's own object has no readable constructor
  }
}

function decode(node) {
  if (node === null || typeof node !== 'object') return node;
  if (isArray(node)) return node.map(decode);
  const [tag, content] = Object.entries(node)[0];
  switch (tag) {
    case 'u': return undefined;
    case 't': return content.map(decode);
    case 'd': return fromEntries(content.map((pair) => pair.map(decode)));
    case 'm': return new Known.Map(content.map((pair) => pair.map(decode)));
    case 's': case 'S': return new Known.Set(content.map(decode));
    case 'i': return content[0] === '-' ? -Known.BigInt(content.slice(1)) : Known.BigInt(content);
    case 'w': return Known.String.fromCodePoint(...content);
    case 'f': return {nan: NaN, inf: Infinity, '-inf': -Infinity}[content] ?? Number(content);
    default: throw new TypeError(`a value with the tag "${tag}" has no counterpart in JavaScript`);
  }
}

let room = 0;

function report(fields) {
  const line = stringify(fields) + '\n';
  room -= Buffer.byteLength(line);
  writeSync(RESULTS, room < 0 ? '["x"]\n' : line);
  if (room < 0) exit(0);
}

function described(error) {
  try {
    if (!(error instanceof Known.Error)) return [typeof error, cut(Known.String(error), 0, MAX_MESSAGE), 0];
    const found = lineOf(Known.String(error.stack));
    const name = cut(Known.String(error.name), 0, MAX_MESSAGE);
    return [name, cut(Known.String(error.message), 0, MAX_MESSAGE), found ? +found[1] : 0];
  } catch {
    return ['Error', '', 0];  // the candidate's own error cannot be read
  }
}

function isOpaque(error) {
  try {
    return error instanceof Opaque;
  } catch {
    return false;  // a proxy of the candidate's
  }
}

function load(source, entry) {
  let script;
  try {
    // a whole program is the body of a function, as node runs it: it may return
    script = entry === '' ? vm.compileFunction(source, [], {filename: FILE}) : new vm.Script(source, {filename: FILE});
  } catch (error) {
    report(['c', ...described(error)]);
    return null;
  }
  if (entry === '') {
    report(['r']);
    return null;
  }
  let found;
  try {
    script.runInThisContext();
    found = vm.runInThisContext(`typeof ${entry} === 'undefined' ? undefined : ${entry}`);
  } catch (error) {
    report(['l', ...described(error)]);
    return null;
  }
  if (typeof found !== 'function') {
    report(['n', '', found === undefined ? `'${entry}' is not defined` : `'${entry}' is not a function`, 0]);
    return null;
  }
  report(['r']);
  return found;
}

async function call(entry, values) {
  try {
    let value = entry(...values);
    if (value instanceof Known.Promise) value = await value;
    return ['v', encode(value, 0, {left: MAX_NODES})];
  } catch (error) {
    return isOpaque(error) ? ['o', error.kind] : ['e', ...described(error)];
  }
}

async function main() {
  const job = JSON.parse(fs.readFileSync(0, 'utf8'));
  room = job.limit;
  const source = fs.readFileSync(FILE, 'utf8');
  const calls = decode(job.calls);
  globalThis.require = require;
  globalThis.module = {exports: {}};
  globalThis.exports = globalThis.module.exports;
  const entry = load(source, job.entry);
  if (entry !== null) for (let index = 0; index < calls.length; index++) report(await call(entry, calls[index]));
  exit(0);
}

main();
