// Runs a program (argument 1, a file) and then its tests (after the token on standard input), each as a script of its
// own, so that neither sees what this file holds. See the package's docstring.
'use strict';
(() => {
  const fs = require('fs');
  const vm = require('vm');
  const assert = require('assert');
  const { writeSync } = fs;
  const { exit } = process;
  const CANNOT_COMPILE = 97, ASSERTION_FAILED = 98, TOKEN_BYTES = 32;
  const sent = fs.readFileSync(0);
  const token = sent.subarray(0, TOKEN_BYTES);
  const tests = sent.toString('utf8', TOKEN_BYTES);
  let failed = false;

  // As in the official harness a failed console.assert prints and goes on, but here it cannot be forgotten.
  console.assert = (condition, ...message) => {
    if (!condition) {
      failed = true;
      writeSync(2, ['Assertion failed', ...message].join(' ') + '\n');
    }
  };

  const lock = (holder, name) => {
    const property = Object.getOwnPropertyDescriptor(holder, name);
    if (property.configurable) Object.defineProperty(holder, name, { ...property, configurable: false,
      ...('value' in property ? { writable: false } : {}) });
  };
  for (const holder of [console, assert, assert.strict, JSON, Math, Object, Number, Array, String, Reflect])
    Object.getOwnPropertyNames(holder).forEach((name) => lock(holder, name));
  for (const { prototype } of [Object, Array, String, Number, Boolean])
    Object.defineProperty(prototype, 'toJSON', { value: undefined });
  globalThis.require = (name) => (name === 'assert' || name === 'node:assert' ? assert : require(name));
  globalThis.module = { exports: {} };
  globalThis.exports = module.exports;
  for (const name of ['console', 'JSON', 'Math', 'Object', 'Number', 'Array', 'String', 'Reflect', 'require'])
    lock(globalThis, name);

  const compile = (code, filename) => {
    try {
      return new vm.Script(code, { filename });
    } catch (error) {
      writeSync(2, `${error}\n`);
      exit(CANNOT_COMPILE);
    }
  };
  const program = compile(fs.readFileSync(process.argv[2], 'utf8'), 'program.js');
  const checks = compile(tests, 'tests.js');
  program.runInThisContext();
  checks.runInThisContext();
  if (failed) exit(ASSERTION_FAILED);
  writeSync(0, token);
})();
