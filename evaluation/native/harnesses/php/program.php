<?php
// Runs a program (argument 1, a file) and answers calls of a function (argument 2, its name) until the tests have ended.
// What the program's top level sets becomes global, as if it had been started by itself.
// See the docstring of the package `native`.
require __DIR__ . '/wire.php';

function harness_runs_program(): void
{
    include $GLOBALS['argv'][1];
    foreach (get_defined_vars() as $harness_name => $harness_value) {
        $GLOBALS[$harness_name] = $harness_value;
    }
}

(function (string $name): void {
    $tests = new HarnessWire();
    try {
        harness_runs_program();
    } catch (ParseError $error) {
        fwrite(STDERR, "PHP Parse error: {$error->getMessage()} in line {$error->getLine()}\n");
        exit(97);
    }
    while (($arguments = $tests->next()) !== null) {
        if (!function_exists($name)) {
            fwrite(STDERR, "Call to undefined function $name()\n");
            exit(1);
        }
        $tests->send($name(...$arguments));
    }
})($argv[2]);
