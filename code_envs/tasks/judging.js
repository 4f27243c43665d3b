'use strict';
// A program for the sandbox: runs JavaScript test code of console.assert; the twin of judging.py and recording.py.
//
// The trainer sends this text as a job of its own, which no candidate ever enters. Entries: `record` runs test code on
// the reference and writes down what it asks; `judge` runs the same text again on the values that a candidate gave.
//
// `console.assert` of Node prints and goes on, with exit code 0, so its arguments are judged here and not its effects.
// Other functions that the test code takes from the program are the reference's. An exception inside the arguments of
// an assert ends the section, as it does in JavaScript: its later asserts count as failed. Asserts that run after the
// section has returned, in a promise or a timer, are not seen.

const {isDeepStrictEqual} = require('util');
const {compileFunction, Script} = require('vm');

const TESTS = 'tests.js';
const SEED = 0x2545f491;

/** Plain copy of an argument, with holes as undefined; what has no encoding is refused. */
function copied(value) {
  if (value === null || !['object', 'function', 'symbol'].includes(typeof value)) return value;
  if (Array.isArray(value)) return Array.from(value, (item) => copied(item));
  if (value instanceof Set) return new Set([...value].map(copied));
  if (value instanceof Map) return new Map([...value].map(copied));
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    return Object.fromEntries(Object.entries(value).map(copied));
  }
  throw new TypeError(`an argument of type '${value.constructor?.name ?? typeof value}' has no encoding`);
}

/** Pseudo-random numbers, the same for every section and in every version of Node (mulberry32). */
function randomNumbers() {
  let state = SEED;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Run one section inside the reference's scope; `replaced` makes the function under test from the reference's own. */
function runSection(source, entry, setup, section, replaced, assert) {
  const tests = `(function (${entry}, console) {${section}\n})`;
  const text = `${setup}\n${source}\n;${tests}(codeEnvsReplaced(${entry}), codeEnvsConsole);`;
  const run = compileFunction(text, ['codeEnvsReplaced', 'codeEnvsConsole'], {filename: TESTS});
  Math.random = randomNumbers();
  run(replaced, {...console, assert: (condition) => assert(condition, text)});
}

/** Source text of the arguments of the assert that is being made. */
function argumentsText(text) {
  const [, line, column] = new Error().stack.match(/tests\.js:(\d+):(\d+)/);
  const rest = text.split('\n').slice(line - 1).join('\n').slice(column - 1);
  const start = rest.indexOf('(') + 1;
  for (let end = rest.indexOf(')', start); end >= 0; end = rest.indexOf(')', end + 1)) {
    const found = rest.slice(start, end);
    if (isExpressions(found)) return found;
  }
  throw new SyntaxError(`an assert that is no call of console.assert: ${rest.slice(0, 60)}`);
}

function isExpressions(text) {
  try {
    return Boolean(new Script(`[${text}\n]`));
  } catch {
    return false;
  }
}

/**
 * What test code asks of a program.
 *
 * Gives [calls, starts, tests]: the arguments of each call, the number of the first call of each section, and per
 * assert its text, the number of its section, and how many calls were made since the assert before it.
 */
function record(source, entry, setup, sections) {
  const calls = [], starts = [], tests = [];
  let since = 0, failure = null;
  const recorded = (reference) => (...values) => {
    calls.push(copied(values));
    const random = Math.random;  // a reference that draws numbers must not take the test code's
    Math.random = randomNumbers();
    try {
      return reference(...values);
    } finally {
      Math.random = random;
    }
  };
  const written = (condition, text) => {
    const found = argumentsText(text);
    if (!condition) failure ??= new Error(`the reference fails ${found}`);
    tests.push([found, starts.length - 1, calls.length - since]);
    since = calls.length;
  };
  for (const section of sections) {
    since = calls.length;
    starts.push(since);
    runSection(source, entry, setup, section, recorded, written);
    if (failure) throw failure;
  }
  return [calls, starts, tests];
}

/** A recorded exception, of the built-in class of that name or of an error with that name. */
function exception(name, message) {
  const found = globalThis[name];
  if (typeof found === 'function' && found.prototype instanceof Error) return new found(message);
  return Object.assign(new Error(message), {name});
}

/** A function under test that gives recorded outputs, and the verdict of each assert on them. */
class Replay {
  constructor(calls, outputs) {
    this.calls = calls;
    this.outputs = outputs;
  }

  begin(first) {
    this.made = first;
    this.passed = [];
    this.lost = false;
  }

  /** Give the recorded output of the next call; every assert fails after a call that has none. */
  call(values) {
    const number = this.made++;
    const [kind, ...rest] = this.outputs[number] ?? ['none'];
    const before = this.lost;
    this.lost = true;  // also where the arguments cannot be compared
    this.lost = before || kind === 'none' || !isDeepStrictEqual(this.calls[number], copied(values));
    if (this.lost) throw new Error(`no output of call ${number}`);
    if (kind === 'value') return rest[0];
    throw exception(...rest);
  }

  assert(condition) {
    this.passed.push(Boolean(condition) && !this.lost);
  }
}

/**
 * Which asserts hold on a candidate's outputs.
 *
 * Each section comes with the number of its first call and the number of asserts that it reaches with the reference;
 * each output is ["value", v], ["exception", class, message] or ["none"].
 */
function judge(source, entry, setup, sections, calls, outputs) {
  const replay = new Replay(calls, outputs);
  const verdicts = [];
  for (const [section, first, count] of sections) {
    replay.begin(first);
    runJudged(source, entry, setup, section, replay);
    for (let number = 0; number < count; number++) verdicts.push(replay.passed[number] === true);
  }
  return verdicts;
}

function runJudged(source, entry, setup, section, replay) {
  const played = () => (...values) => replay.call(values);
  try {
    runSection(source, entry, setup, section, played, (condition) => replay.assert(condition));
  } catch {
    return;  // the asserts that were not reached count as failed
  }
}
