<?php
// Runs a program (argument 1, a file) and then its tests (after the token on standard input). See the package's
// docstring. What the program's top level sets becomes global, as if it had been started by itself.

function harness_runs_program(): void
{
    include $GLOBALS['argv'][1];
    foreach (get_defined_vars() as $harness_name => $harness_value) {
        $GLOBALS[$harness_name] = $harness_value;
    }
}

(function (): void {
    $sent = stream_get_contents(STDIN);
    $answer = fopen('php://fd/0', 'w');
    try {
        harness_runs_program();
        (static function (): void {
            eval(func_get_arg(0));
        })(substr($sent, 32));
    } catch (ParseError $error) {
        fwrite(STDERR, "PHP Parse error: {$error->getMessage()} in line {$error->getLine()}\n");
        exit(97);
    }
    fwrite($answer, substr($sent, 0, 32));
})();
