// Ends the process at once, without what `process.exit` runs before; Node does not document it.
declare namespace NodeJS {
  interface Process { reallyExit(status: number): never }
}
declare var callProgram: (values: unknown[]) => unknown;
