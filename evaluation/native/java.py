"""How Java is compiled and run: the JDK, assertions on, one file each for the tests and for a program.

The tests and a program run in a machine, a process and a sandbox of its own. In the one of the tests the declared
method only sends its arguments and takes the reply; all other classes are those of the JDK, of javatuples and of the
declaration. So classes of a program, whatever their names, its static initializers, reflection, `Unsafe`,
`System.exit` and threads reach its own process alone.

A value crosses with the name of its class where Java's `equals` tells classes apart; an object of any other class
arrives as a stranger, which is equal to nothing. Strings that arrive are interned, so that tests that compare by
identity (HumanEvalPack's Java/137) compare texts. Of overloaded methods with as many parameters any may be called.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.native.signatures import definitions_of, signature_of, with_body
from evaluation.native.sources import name_of, open_braces, text_of
from evaluation.native.toolchain import MEBIBYTE, Places, Recipe, Task, copy_harness, first_match, run_trusted
from evaluation.programs import Reason

_LIBRARY = "/usr/share/java/javatuples.jar"
_MACHINE = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData")
_ARCHIVE = "javac.jsa"


@dataclass(frozen=True, slots=True)
class Java:
    """The JDK; the main class's `main` is the test."""

    main_class: str
    language: str = "java"
    silent: bool = False
    readable: Sequence[str] = ("/etc/java-*-openjdk",)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def probe(self) -> tuple[str, Task]:
        """Return a program that passes."""
        head = "class Probe { static int one() {"
        tests = f"class {self.main_class} {{ public static void main(String[] a) {{ assert Probe.one() == 1; }} }}"
        return f"{head} return 1; }} }}", Task(head, tests)

    def prepare(self, prepared: Path) -> None:
        """Compile the wire, and keep how the compiler looks in memory then: it starts faster from that."""
        copy_harness("java", prepared)
        files = sorted(path.name for path in prepared.glob("*.java"))
        run_trusted([*_javac(f"-XX:ArchiveClassesAtExit={_ARCHIVE}"), "-d", ".", *files], prepared)

    def tests(self, task: Task, places: Places, memory_bytes: int) -> Recipe:
        """Compile the tests with a method that calls the program in place of the declared one."""
        signature = signature_of("java", task.head)
        names = "".join(f", {parameter.name}" for parameter in signature.parameters)
        primitive = signature.result if signature.result[:1].islower() and "[" not in signature.result else "Object"
        called = f"harness.Tests.call({primitive}.class{names})"
        stub = with_body("java", task.head, f"{{ return ({signature.result}) {called}; }}")
        closing = "}\n" * open_braces("java", stub + task.tests)
        running = ["harness.Tests", self.main_class]
        return self._recipe(f"{stub}{closing}{task.tests}", running, places, memory_bytes)

    def program(self, solution: str, head: str, places: Places, memory_bytes: int) -> Recipe:
        """Compile the solution; its method is found when it is called."""
        signature = signature_of("java", head)
        own_class = [name_of(node) for node in definitions_of("java", head, ("class_declaration",))][0]
        where = "inside" if own_class == self.main_class else "outside"
        thrown = [text_of(child) for node in definitions_of("java", head, ("throws",)) for child in node.named_children]
        running = ["harness.Program", own_class, signature.name, where, ",".join(thrown)]
        return self._recipe(solution, running, places, memory_bytes)

    def reason(self, output: str) -> Reason | None:
        """Tell full heaps from other errors."""
        return first_match(output, (("memory", r"java\.lang\.OutOfMemoryError"),))

    def _recipe(self, text: str, running: Sequence[str], places: Places, memory_bytes: int) -> Recipe:
        name = f"{self.main_class}.java"
        compiling = _javac(f"-XX:SharedArchiveFile={places.prepared}/{_ARCHIVE}")
        compiling += ["-encoding", "UTF8", "-proc:none", "-nowarn", "-cp", f"{places.prepared}:{_LIBRARY}"]
        compiling += ["-d", places.build, f"{places.sources}/{name}"]
        heap = f"-Xmx{memory_bytes * 3 // 4 // MEBIBYTE}m"
        machine = [*_MACHINE, heap, "-XX:-OmitStackTraceInFastThrow", "--add-opens", "java.base/java.io=ALL-UNNAMED"]
        seen = f"{places.prepared}:{places.build}:{_LIBRARY}"
        return Recipe({name: text}, [compiling], ["java", *machine, "-ea", "-cp", seen, *running])


def _javac(archive: str) -> list[str]:
    return ["javac", *(f"-J{option}" for option in (*_MACHINE, archive))]
