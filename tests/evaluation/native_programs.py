"""What each language's toolchain is tried with: a right and a wrong program with their tests, and programs that attack.

Most hostile programs give the right answer only where the forbidden thing succeeded, so that a pass would show a leak.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluation.native.cpp import Cpp
from evaluation.native.golang import Go
from evaluation.native.interpreted import JavaScript, Php
from evaluation.native.java import Java
from evaluation.native.rust import Rust
from evaluation.native.swift import Swift
from evaluation.native.toolchain import Task, Toolchain

Hostile = dict[str, tuple[str, set[str]]]

TIME, MEMORY, ASSERTION, EXCEPTION = {"time"}, {"memory"}, {"assertion"}, {"exception"}


@dataclass
class Case:
    """One language: a function `twice`, right and wrong, with its tests, and programs that attack."""

    toolchain: Callable[[], Toolchain]
    head: str
    right: str
    wrong: str
    tests: str
    hostile: Hostile = field(default_factory=dict)
    before: str = ""
    """Put before every program."""

    @property
    def task(self) -> Task:
        """What the programs are tested by."""
        return Task(self.head, self.tests)


CASES = {
    "javascript": Case(
        lambda: JavaScript(silent=False),
        "const twice = (x) => {\n",
        "const twice = (x) => {\n  return 2 * x;\n}\n",
        "const twice = (x) => {\n  return x;\n}\n",
        "const test = () => {\n  console.assert(twice(3) === 6);\n};\ntest()\n",
        {
            "exits at the top": ("process.exit(0)", {"exited"}),
            "exits in the call": ("const twice = (x) => process.exit(0)", {"exited"}),
            "guesses the token": ("require('fs').writeSync(0, 'a'.repeat(32)); process.exit(0)", {"exited"}),
            "replaces console.assert": ("console.assert = () => {}; const twice = (x) => x", ASSERTION),
            "defines console.assert anew": (
                "Object.defineProperty(console, 'assert', {value: () => {}}); const twice = (x) => x",
                ASSERTION,
            ),
            "hides console": ("const console = {assert() {}}; const twice = (x) => x", ASSERTION),
            "replaces the global console": (
                "globalThis.console = {assert() {}}; const twice = (x) => x",
                ASSERTION,
            ),
            "catches": (
                "process.on('uncaughtException', () => {}); process.exitCode = 0; const twice = (x) => x",
                ASSERTION,
            ),
            "writes for ever": ("for (;;) console.log('x'.repeat(9999))", MEMORY | TIME),
            "eats memory": ("const a = []; for (;;) a.push(Buffer.alloc(1 << 24, 1))", MEMORY),
            "spins": ("const twice = (x) => { for (;;); }", TIME),
            "sleeps": (
                "const twice = (x) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
                TIME,
            ),
            "starts a process": (
                "const twice = (x) => { const r = require('child_process').spawnSync('/usr/bin/true');"
                " return r.status === 0 ? 2 * x : 0 }",
                ASSERTION,
            ),
            "reads the caller's files": (
                "const twice = (x) => require('fs').existsSync('{secret}') ? 2 * x : 0",
                ASSERTION,
            ),
            "listens": (
                "let open = 0; try { open = new (process.binding('tcp_wrap').TCP)(0).bind('127.0.0.1', 0) === 0 }"
                " catch {} const twice = (x) => open ? 2 * x : 0",
                ASSERTION,
            ),
            "writes into the system": ("require('fs').writeFileSync('/usr/x', 'x')", EXCEPTION),
            "writes anywhere": ("require('fs').writeFileSync('/tmp/x', 'x')", EXCEPTION),
            "does not parse": ("const twice = (x => {", {"syntax"}),
        },
    ),
    "php": Case(
        Php,
        "<?php\nfunction twice($x) {\n",
        "<?php\nfunction twice($x) {\n  return 2 * $x;\n}\n",
        "<?php\nfunction twice($x) {\n  return $x;\n}\n",
        'function test(): void {\n  if (twice(3) !== 6) { throw new Exception("Test failed!"); }\n}\ntest();\n',
        {
            "exits at the top": ("<?php\nexit(0);", {"exited"}),
            "returns at the top": ("<?php\nfunction twice($x) { return $x; }\nreturn;", ASSERTION),
            "exits in the call": ("<?php\nfunction twice($x) { exit(0); }", {"exited"}),
            "swallows exceptions": (
                "<?php\nset_exception_handler(function () { exit(0); });"
                " function twice($x) { throw new Exception('x'); }",
                {"exited"},
            ),
            "writes for ever": ("<?php\nwhile (true) { echo str_repeat('x', 9999); }", MEMORY),
            "eats memory": ("<?php\n$a = []; while (true) { $a[] = str_repeat('x', 1 << 24); }", MEMORY),
            "sleeps": ("<?php\nfunction twice($x) { sleep(1000); }", TIME),
            "starts a process": (
                "<?php\nfunction twice($x) { return @exec('/usr/bin/echo yes') === 'yes' ? 2 * $x : 0; }",
                ASSERTION,
            ),
            "reads the caller's files": (
                "<?php\nfunction twice($x) { return @file_exists('{secret}') ? 2 * $x : 0; }",
                ASSERTION,
            ),
            "defines nothing": ("<?php\n", {"missing"}),
            "does not parse": ("<?php\nfunction twice($x) {", {"syntax"}),
        },
    ),
    "cpp": Case(
        Cpp,
        "int twice(int x){\n",
        "#include <vector>\nusing namespace std;\nint twice(int x){\n  return 2 * x;\n}\n",
        "int twice(int x){\n  return x;\n}\n",
        "#undef NDEBUG\n#include<assert.h>\nint main(){\n  assert (twice(3) == 6);\n}\n",
        {
            "exits at the top": ("int a = (exit(0), 1); int twice(int x) { return x; }", {"exited"}),
            "exits in the call": ("int twice(int x) { _exit(0); }", {"exited"}),
            "guesses the token": (
                "int twice(int x) { write(0, string(32, 'a').c_str(), 32); exit(0); }",
                {"exited"},
            ),
            "defines assert": ("#define assert(x)\n#define NDEBUG\nint twice(int x) { return x; }", ASSERTION),
            "defines the function asserts call": (
                'extern "C" void __assert_fail(const char*, const char*, unsigned, const char*) noexcept {}\n'
                "int twice(int x) { return x; }",
                ASSERTION | {"syntax"},
            ),
            "renames main": ("#define main other\nint twice(int x) { return x; }", ASSERTION),
            "makes files": ('int twice(int x) { return ofstream("/tmp/x").good() ? 2 * x : 0; }', ASSERTION),
            "makes links": ('int twice(int x) { return symlink("/tmp", "/tmp/x") == 0 ? 2 * x : 0; }', ASSERTION),
            "eats memory that it does not show": (
                "#include <sys/mman.h>\nint twice(int x) { size_t n = 1 << 26; for (int i = 0; i < 9; i++) {"
                " char *p = (char *)mmap(0, n, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0); if (p == MAP_FAILED) return 0;"
                " memset(p, 1, n); madvise(p, n, MADV_DONTNEED); } return 2 * x; }",
                ASSERTION,
            ),
            "maps memory of the kernel": (
                '#include <sys/mman.h>\n#include <fcntl.h>\nint twice(int x) { int zero = open("/dev/zero", O_RDWR);'
                " return mmap(0, 4096, 3, MAP_SHARED, zero, 0) == MAP_FAILED ? 0 : 2 * x; }",
                ASSERTION,
            ),
            "eats tables of pages": (
                "#include <sys/mman.h>\nint twice(int x) { size_t n = 1ul << 40; volatile char *p = (char *)mmap(0, n,"
                " 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); long s = 0;"
                " for (size_t i = 0; i < n; i += 1 << 21) s += p[i]; sleep(99); return 2 * x + s; }",
                MEMORY,
            ),
            "eats memory behind an ended thread": (
                "void eat() { for (;;) { char *p = new char[1 << 24]; memset(p, 1, 1 << 24); usleep(5000); } }\n"
                "int twice(int x) { thread(eat).detach(); pthread_exit(0); }",
                MEMORY,
            ),
            "opens many pipes": (
                "int twice(int x) { int n = 0, ends[2]; while (pipe(ends) == 0) n++; return n > 200 ? 2 * x : 0; }",
                ASSERTION,
            ),
            "goes on after signals": (
                "void quit(int) { _exit(0); }\nint twice(int x) { for (int s = 1; s < 32; s++) signal(s, quit);"
                " return x; }",
                {"assertion", "exited"},
            ),
            "writes for ever": ("int twice(int x) { for (;;) puts(string(9999, 'x').c_str()); }", MEMORY),
            "eats memory": (
                "int twice(int x) { for (;;) { char* p = new char[1 << 24]; memset(p, 1, 1 << 24); } }",
                MEMORY,
            ),
            "spins": ("int twice(int x) { for (;;); }", TIME),
            "sleeps": ("int twice(int x) { for (;;) sleep(1000); }", TIME),
            "forks": ("int twice(int x) { return fork() >= 0 ? 2 * x : 0; }", ASSERTION),
            "starts a process": ('int twice(int x) { return system("true") == 0 ? 2 * x : 0; }', ASSERTION),
            "starts many threads": (
                "int twice(int x) { for (int i = 0; i < 2000; i++) thread([] { sleep(99); }).detach();"
                " sleep(99); return 2 * x; }",
                {"refused"},
            ),
            "reads the caller's files": (
                'int twice(int x) { return ifstream("{secret}").good() ? 2 * x : 0; }',
                ASSERTION,
            ),
            "reads the caller's files when compiled": ('#include "{secret}"\n', {"syntax"}),
            "opens a socket": (
                "#include <sys/socket.h>\n"
                "int twice(int x) { return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 2 * x : 0; }",
                ASSERTION,
            ),
            "writes into the system": (
                'int twice(int x) { return ofstream("/usr/x").good() ? 2 * x : 0; }',
                ASSERTION,
            ),
            "writes into its own library": (
                'int twice(int x) { return ofstream("/build/library.so").good() ? 2 * x : 0; }',
                ASSERTION,
            ),
            "finds its environment": ('int twice(int x) { return getenv("USER") ? 2 * x : 0; }', ASSERTION),
            "crashes": ("int twice(int x) { return *(volatile int*)0; }", EXCEPTION),
            "does not parse": ("int twice(int x) {", {"syntax"}),
        },
        before="#include <bits/stdc++.h>\n#include <unistd.h>\nusing namespace std;\n",
    ),
    "java": Case(
        lambda: Java("Main"),
        "import java.util.*;\nclass Solution {\n  public int twice(int x) {\n",
        "import java.util.*;\nclass Solution {\n  public int twice(int x) {\n    return 2 * x;\n  }\n}\n",
        "import java.util.*;\nclass Solution {\n  public int twice(int x) {\n    return x;\n  }\n}\n",
        "public class Main {\n  public static void main(String[] args) {\n    Solution s = new Solution();\n"
        "    if (!Objects.equals(s.twice(3), 6)) { throw new AssertionError(); }\n"
        "    assert s.twice(4) == 8;\n  }\n}\n",
        {
            "exits in the call": (
                "import java.util.*; class Solution { int twice(int x) { System.exit(0); return x; } }",
                {"exited"},
            ),
            "only asserts find it": (
                "import java.util.*; class Solution { int twice(int x) { return x == 3 ? 6 : 0; } }",
                ASSERTION,
            ),
            "hides a class": (
                "class Objects { static boolean equals(Object a, Object b) { return true; } }\n"
                "class Solution { int twice(int x) { return x == 4 ? 8 : 0; } }",
                ASSERTION,
            ),
            "writes for ever": (
                "import java.util.*; class Solution { int twice(int x) {"
                ' while (true) System.out.println("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); } }',
                MEMORY | TIME,
            ),
            "eats memory": (
                "import java.util.*; class Solution { int twice(int x) { List<long[]> a = new ArrayList<>();"
                " while (true) a.add(new long[1 << 20]); } }",
                MEMORY,
            ),
            "sleeps": (
                "import java.util.*; class Solution { int twice(int x) { try { Thread.sleep(1000000); }"
                " catch (InterruptedException e) {} return 2 * x; } }",
                TIME,
            ),
            "starts a process": (
                "import java.util.*; class Solution { int twice(int x) { try {"
                ' return new ProcessBuilder("/usr/bin/true").start().waitFor() == 0 ? 2 * x : 0; }'
                " catch (Exception e) { return 0; } } }",
                ASSERTION,
            ),
            "reads the caller's files": (
                "import java.util.*; class Solution { int twice(int x) {"
                ' return new java.io.File("{secret}").exists() ? 2 * x : 0; } }',
                ASSERTION,
            ),
            "connects": (
                "import java.util.*; class Solution { int twice(int x) { try {"
                " new java.net.ServerSocket(0); return 2 * x; } catch (Exception e) { return 0; } } }",
                ASSERTION,
            ),
            "does not parse": ("class Solution {", {"syntax"}),
        },
    ),
    "rust": Case(
        lambda: Rust("2021", ()),
        "fn twice(x: i32) -> i32 {\n",
        "fn twice(x: i32) -> i32 {\n    2 * x\n}\n",
        "fn twice(x: i32) -> i32 {\n    x\n}\n",
        "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    // why\n    fn test_twice() {\n"
        "        assert_eq!(twice(3), 6);\n    }\n}\n",
        {
            "exits in the call": ("fn twice(x: i32) -> i32 { std::process::exit(0) }", {"exited"}),
            "hides a macro": (
                "macro_rules! assert_eq { ($a:expr, $b:expr) => {} }\nfn twice(x: i32) -> i32 { x }",
                ASSERTION,
            ),
            "panics quietly": (
                "fn twice(x: i32) -> i32 { std::panic::set_hook(Box::new(|_| std::process::exit(0))); panic!() }",
                {"exited"},
            ),
            "eats memory": (
                "fn twice(x: i32) -> i32 { let mut a = vec![]; loop { a.push(vec![1u8; 1 << 24]); } }",
                MEMORY,
            ),
            "sleeps": (
                "fn twice(x: i32) -> i32 { std::thread::sleep(std::time::Duration::from_secs(1000)); 2 * x }",
                TIME,
            ),
            "starts a process": (
                'fn twice(x: i32) -> i32 { if std::process::Command::new("/usr/bin/true").status().is_ok()'
                " { 2 * x } else { 0 } }",
                ASSERTION,
            ),
            "reads the caller's files": (
                'fn twice(x: i32) -> i32 { if std::path::Path::new("{secret}").exists() { 2 * x } else { 0 } }',
                ASSERTION,
            ),
            "overflows": ("fn twice(x: i32) -> i32 { i32::MAX - 6 + x + x + x - i32::MAX }", EXCEPTION),
            "does not parse": ("fn twice(x: i32) -> i32 {", {"syntax"}),
        },
    ),
    "go": Case(
        Go,
        "func twice(x int) int {\n",
        "func twice(x int) int {\n\treturn 2 * x\n}\n",
        "func twice(x int) int {\n\treturn x\n}\n",
        'package main\n\nimport (\n\t"testing"\n\t"github.com/stretchr/testify/assert"\n)\n\n'
        "func TestTwice(t *testing.T) {\n\tassert := assert.New(t)\n\tassert.Equal(6, twice(3))\n}\n",
        {
            "exits at the top": (
                'import "os"\nfunc init() { os.Exit(0) }\nfunc twice(x int) int { return x }',
                {"exited"},
            ),
            "exits in the call": (
                'import "os"\nfunc twice(x int) int { os.Exit(0); return x }',
                {"exited", "exception"},
            ),
            "asks for no tests": (
                'import "os"\nfunc init() { os.Args = append(os.Args, "-test.run=none") }\n'
                "func twice(x int) int { return x }",
                ASSERTION,
            ),
            "leaves the test": (
                'import "runtime"\nfunc twice(x int) int { runtime.Goexit(); return x }',
                {"exception", "exited"},
            ),
            "eats memory": (
                "func twice(x int) int { a := [][]byte{}; for { b := make([]byte, 1<<24);"
                " for i := range b { b[i] = 1 }; a = append(a, b) } }",
                MEMORY,
            ),
            "sleeps": ('import "time"\nfunc twice(x int) int { time.Sleep(time.Hour); return 2 * x }', TIME),
            "starts a process": (
                'import "os/exec"\nfunc twice(x int) int { if exec.Command("/usr/bin/true").Run() == nil'
                " { return 2 * x }; return 0 }",
                ASSERTION,
            ),
            "reads the caller's files": (
                'import "os"\nfunc twice(x int) int { if _, e := os.Stat("{secret}"); e == nil'
                " { return 2 * x }; return 0 }",
                ASSERTION,
            ),
            "listens": (
                'import "net"\nfunc twice(x int) int { if _, e := net.Listen("tcp", "127.0.0.1:0"); e == nil'
                " { return 2 * x }; return 0 }",
                ASSERTION,
            ),
            "what vet is sure of": (
                'import "fmt"\nfunc twice(x int) int { fmt.Printf("%d", "x"); return 2 * x }',
                {"syntax"},
            ),
            "does not parse": ("func twice(x int) int {", {"syntax"}),
        },
    ),
    "swift": Case(
        Swift,
        "func twice(x: Int) -> Int {\n",
        "func twice(x: Int) -> Int {\n    return 2 * x\n}\n",
        "func twice(x: Int) -> Int {\n    return x\n}\n",
        "\nassert(twice(x: 3) == 6)\n",
        {"exits in the call": ("import Foundation\nfunc twice(x: Int) -> Int { exit(0) }", {"exited"})},
    ),
}
