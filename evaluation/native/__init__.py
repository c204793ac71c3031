"""Running programs of compiled and of other interpreted languages, with their tests, in isolation.

Enters: a solution and its tests as source text. Leaves: whether all tests passed, or the reason why not.

How a pass is shown: a harness of ours starts first, takes a random token from standard input, keeps it in a local
variable, loads the program with its tests, runs them, and hands the token back after the last one. So leaving early by
any way, printing anything, or an exit code of 0 prove nothing. Nothing of this is visible in the program's source or in
its files; the sources of compiled programs are not there when they run.

What is stopped: network, reading anything but the system's libraries and the program, writing anywhere but a small
scratch folder, the caller's environment, starting processes (threads are allowed; a program may replace itself by
another one, which has no token), memory, CPU and wall-clock time and number of threads beyond the limits, output beyond
the limit, survival of the caller. Compilers may start processes and write into a folder of the program's own, and run
under limits as well.

What is not stopped: the tests share a process with the program they judge, so a program written to cheat can: by
searching its own memory for the token, by returning objects that claim to be equal to everything (C++, Java, Go, Rust),
by replacing methods of built-in prototypes (JavaScript), by looking at the tests while they run. Plain ways to replace
asserts and the names that tests use are caught, see `sources.redefinitions` and the harnesses. Memory and threads are
watched from outside, so a program may exceed its limits for some hundredths of a second. And as in `execution`: attacks
on the kernel, reading the world-readable part of /usr, timing noise.
"""
