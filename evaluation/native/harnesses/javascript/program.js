// Runs a program (argument 1, a file) as a script of its own and answers calls of a function (argument 2, its name)
// until the tests have ended. See the docstring of the package `native`.
'use strict';
{
  const { readFileSync, writeSync } = require('fs');
  const { Script } = require('vm');
  const { receive, send } = require('./wire.js');
  const CANNOT_LOAD = 97;
  const [, , file, name] = process.argv;
  const descriptor = Number(process.env.HARNESS_DESCRIPTOR);
  /** @type {(status: number) => never} */
  const exit = process.reallyExit.bind(process);

  /** @type {(error: any, status: number) => never} */
  const fail = (error, status) => {
    writeSync(2, `${(error && error.stack) || error}\n`);
    exit(status);
  };
  const compile = (code, filename) => {
    try {
      return new Script(code, { filename });
    } catch (error) {
      return fail(error, CANNOT_LOAD);
    }
  };
  globalThis.require = require;
  globalThis.module = /** @type {any} */ ({ exports: {} });
  globalThis.exports = module.exports;
  const program = compile(readFileSync(file, 'utf8'), 'program.js');
  const find = compile(name, 'call.js');
  try {
    program.runInThisContext();
    for (let message; (message = receive(descriptor));) send(descriptor, find.runInThisContext()(...message[0]));
  } catch (error) {
    fail(error, 1);
  }
  exit(0);
}
