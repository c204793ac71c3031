"""Judging programs of compiled and of other interpreted languages by tests of their own language.

Enters: a solution, the declaration of the function that it defines, and tests. Leaves: whether all tests passed, or the
reason why not.

Two processes. T holds the tests, compiled (or loaded) with the trusted declaration, whose last function has another
body there: it sends its arguments and returns what comes back. P holds the program and a loop that answers such calls.
Each is in a sandbox of its own, in other namespaces; nothing but a pair of connected sockets joins them. T alone gets a
random token on its standard input and hands it back after the last test: that is a pass, and no byte of the program is
in the process that gives it, nor a byte of the tests or of an expected value in the process of the program. So nothing
that a program does to its own process, to its language's library, preprocessor, built-ins or runtime, or to objects
that it returns, reaches what decides; leaving early, printing anything or an exit code of 0 prove nothing. What a
program returns reaches T as data, and a comparison is one of T's own values by T's own library.

T depends on the task alone and is compiled once for all samples of it. A call that is not answered, or by what is no
value of the declared type, ends T with a failure. A program gets copies: where tests use an argument again after a
call, as those of HumanEvalPack's `find_zero` do, it is as it was, whatever the program did to it. No row of
HumanEvalPack or MultiPL-E asks for more than calls: none expects an exception, or looks at what was printed (but that
HumanEvalPack's JavaScript must not print at all).

The wire. A message is its length (4 bytes, big endian; at most 16 MiB) and one value: a call is a list of arguments, a
reply the result. A value is a byte that tells its kind, and then:

    N           nothing
    T  F        true, false
    I text      a whole number, in decimal digits
    D 8 bytes   a floating-point number (IEEE 754, big endian)
    S text      a string, in UTF-8 where the language has characters, else its bytes
    L count ... a list, a tuple, or none or one item for an optional
    M count ... a map, keys and values in turn
    O text ...  a value of the kind that is named, where the declared type does not tell

where text and count are 4 bytes, big endian, text followed by so many bytes, count by so many values. Values nest at
most 200 deep. The two ends are of one language, which chooses what it names (see the harnesses' codecs).

What is stopped: network, reading anything but the system's libraries and the program, writing anywhere at all, the
caller's environment, starting processes (threads are allowed; a program may replace itself by another one), memory
(page tables counted, shared anonymous memory refused), CPU and wall-clock time and number of threads beyond the limits,
output beyond the limit, survival of the caller. Compilers may start processes and write into a folder of the program's
own, and run under limits as well. A sandbox runs one program and is thrown away.

What is not stopped: answers learned by heart; attacks on the kernel, on the codecs that read what a program sends, and
on compilers; reading the world-readable part of /usr; timing noise. Memory and threads are watched from outside, so a
program may exceed its limits for some hundredths of a second. Unsandboxed, the two processes see each other's files.
"""
