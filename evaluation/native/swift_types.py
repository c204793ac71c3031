"""How Swift's types are written to the wire and read from it, as source text.

Enters: a type, or source text that defines enums. Leaves: an expression that makes its codec, or functions that do.
Not guaranteed: types of the source that are no enums, and generic ones but those of the standard library.
"""

import re

from tree_sitter import Node

from evaluation.errors import BenchmarkError
from evaluation.native.sources import name_of, parse, text_of, walk

_PLAIN = {
    "Int": "HarnessWire.int(Int.self)",
    "Double": "HarnessWire.float(Double.self)",
    "Float": "HarnessWire.float(Float.self)",
    "Bool": "HarnessWire.bool",
    "String": "HarnessWire.string",
    "Character": "HarnessWire.character",
    "AnyHashable": "HarnessWire.any",
}
_GENERIC = {"Array": "list", "Set": "set", "Optional": "optional", "Dictionary": "map", "Result": "result"}
_KINDS = {"array_type": "list", "dictionary_type": "map", "optional_type": "optional", "tuple_type": "tuple"}


def codec(kind: str) -> str:
    """Return an expression for the codec of a type.

    Raises:
        BenchmarkError: it is none that can be carried.
    """
    function = next(node for node in walk(parse("swift", f"func f() -> {kind} {{}}")) if node.type == "->")
    node = function.next_named_sibling
    if node is None or node.has_error:
        raise BenchmarkError(f"not a Swift type: {kind!r}")
    return _codec(node)


def codecs_of_enums(text: str) -> str:
    """Return functions that make the codecs of the enums that a text defines at its top level."""
    nodes = [node for node in parse("swift", text).children if node.type == "class_declaration"]
    return "\n".join(_enum(node) for node in nodes if text_of(node.child_by_field_name("declaration_kind")) == "enum")


def _codec(node: Node) -> str:
    name = text_of(node)
    if node.type in _KINDS:
        parts = [child for child in node.named_children if child.is_named]
        if node.type == "tuple_type":
            parts = [item.named_children[-1] for item in parts]
        if len(parts) == 1 and node.type == "tuple_type":
            return _codec(parts[0])
        return f"HarnessWire.{_KINDS[node.type]}({', '.join(_codec(part) for part in parts)})"
    if name in _PLAIN:
        return _PLAIN[name]
    if re.fullmatch(r"U?Int\d+|UInt", name):
        return f"HarnessWire.int({name}.self)"
    arguments = [child for child in walk(node) if child.type == "type_arguments"]
    if arguments:
        items = ", ".join(_codec(child) for child in arguments[0].named_children)
        base = name.partition("<")[0].strip()
        if base not in _GENERIC:
            raise BenchmarkError(f"values of the Swift type {name} cannot be carried")
        return f"HarnessWire.{_GENERIC[base]}({items})"
    return f"{_function(name)}()"


def _function(enum: str) -> str:
    return f"harness{enum}Codec"


def _enum(node: Node) -> str:
    name = name_of(node)
    cases = [case for entry in walk(node) if entry.type == "enum_entry" for case in _cases(entry)]
    puts, takes = [], []
    for case, items in cases:
        bound = f"({', '.join(f'let item{number}' for number, _ in enumerate(items))})" if items else ""
        written = "".join(f"; {_codec(kind)}.put(item{number}, out)" for number, (_, kind) in enumerate(items))
        puts.append(f'case .{case}{bound}: out.text("O", "{case}"); out.count("L", {len(items)}){written}')
        made = ", ".join(f"{label}{_codec(kind)}.take(input)" for label, kind in items)
        takes.append(f'case ("{case}", {len(items)}): return .{case}{f"({made})" if items else ""}')
    lines = "\n".join
    return f"""\
func {_function(name)}() -> HarnessCodec<{name}> {{
    return HarnessCodec<{name}>(put: {{ value, out in
        switch value {{
        {lines(puts)}
        }}
    }}, take: {{ input in
        switch (input.text("O"), input.count("L")) {{
        {lines(takes)}
        default: return input.unknown()
        }}
    }})
}}
"""


def _cases(entry: Node) -> list[tuple[str, list[tuple[str, Node]]]]:
    """Return the cases of one line with the labels and types of what each holds."""
    found: list[tuple[str, list[tuple[str, Node]]]] = []
    for child in entry.children:
        if child.type == "simple_identifier":
            found.append((text_of(child), []))
        elif child.type == "enum_type_parameters":
            label = ""
            for part in child.named_children:
                if part.type == "simple_identifier":
                    label = f"{text_of(part)}: "
                else:
                    found[-1][1].append((label, part))
                    label = ""
    return found
