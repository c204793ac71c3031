// Runs tests (argument 1, a file) that call a program, and hands the token back that came on standard input if all have
// passed. See the docstring of the package `native`.
'use strict';
{
  const { readFileSync, writeSync } = require('fs');
  const { Script } = require('vm');
  const { CALL_FAILED, WRONG_VALUE, end, receive, send } = require('./wire.js');
  const CANNOT_LOAD = 97;
  const [, , file] = process.argv;
  const descriptor = Number(process.env.HARNESS_DESCRIPTOR);
  const token = readFileSync(0);
  let failed = false;

  globalThis.callProgram = (values) => {
    try {
      send(descriptor, values);
      return (receive(descriptor) || end(CALL_FAILED, 'the program has ended'))[0];
    } catch (error) {
      return end(CALL_FAILED, 'the program has ended');
    }
  };
  // As in the official harness a failed console.assert prints and goes on, but here it cannot be forgotten.
  console.assert = (condition, ...message) => {
    if (!condition) {
      failed = true;
      writeSync(2, ['Assertion failed', ...message].join(' ') + '\n');
    }
  };
  globalThis.require = require;
  globalThis.module = /** @type {any} */ ({ exports: {} });
  globalThis.exports = module.exports;
  let tests;
  try {
    tests = new Script(readFileSync(file, 'utf8'), { filename: 'tests.js' });
  } catch (error) {
    throw end(CANNOT_LOAD, error); // it does not return
  }
  tests.runInThisContext();
  if (failed) end(WRONG_VALUE, '');
  writeSync(0, token);
}
