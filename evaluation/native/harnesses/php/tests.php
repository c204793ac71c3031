<?php
// Runs tests (argument 1, a file) that call a program, and hands the token back that came on standard input when the last
// has passed. See the docstring of the package `native`.
require __DIR__ . '/wire.php';

$harness_token = stream_get_contents(STDIN);
$harness_program = new HarnessWire();

function call_program(array $arguments): mixed
{
    return $GLOBALS['harness_program']->call($arguments);
}

try {
    (static function (): void {
        include func_get_arg(0);
    })($argv[1]);
} catch (ParseError $error) {
    fwrite(STDERR, "PHP Parse error: {$error->getMessage()} in line {$error->getLine()}\n");
    exit(97);
}
fwrite(fopen('php://fd/0', 'w'), $harness_token);
