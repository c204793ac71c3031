"""How enums and structs that a Rust source defines are written to the wire and read from it.

Enters: source text and the signature of a function. Leaves: source text of implementations, one for each type of the
signature that the text defines. A value is its variant's name with the list of its fields.
Not guaranteed: types with bounds, constants or lifetimes among their parameters.
"""

import re
from collections.abc import Iterator, Sequence

from tree_sitter import Node

from evaluation.native.signatures import Signature
from evaluation.native.sources import name_of, parse, text_of


def codecs(text: str, signature: Signature) -> str:
    """Return the implementations of `Put` and `Take` for what a text defines and a signature names."""
    words = set(re.findall(r"\w+", " ".join([signature.result, *(item.type for item in signature.parameters)])))
    nodes = [node for node in parse("rust", text).children if node.type in ("enum_item", "struct_item")]
    return "\n".join(_codec(node) for node in nodes if name_of(node) in words)


def _codec(node: Node) -> str:
    parameters = re.findall(r"\w+", text_of(node.child_by_field_name("type_parameters")))
    own = f"{name_of(node)}<{', '.join(parameters)}>" if parameters else name_of(node)
    shapes = list(_shapes(node))
    takings = " ".join(_taking(*shape) for shape in shapes)
    put, take = (", ".join(f"{letter}: ::harness_wire::{kind}" for letter in parameters) for kind in ("Put", "Take"))
    return f"""\
impl<{put}> ::harness_wire::Put for {own} {{
    fn put(&self, out: &mut ::harness_wire::Writer) {{
        match self {{ {" ".join(_putting(*shape) for shape in shapes)} }}
    }}
}}
impl<{take}> ::harness_wire::Take for {own} {{
    fn take(input: &mut ::harness_wire::Reader) -> Self {{
        let name = input.text(b'O');
        match (name.as_str(), input.count(b'L')) {{ {takings} _ => input.unknown() }}
    }}
}}
"""


def _shapes(node: Node) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the path of each variant, or of the struct, with its fields, by number where they have no names."""
    body = node.child_by_field_name("body")
    if node.type == "struct_item":
        yield name_of(node), _fields(body)
        return
    for variant in body.named_children if body else ():
        if variant.type == "enum_variant":
            yield f"{name_of(node)}::{name_of(variant)}", _fields(variant.child_by_field_name("body"))


def _fields(body: Node | None) -> Sequence[str]:
    if body is None:
        return []
    if body.type == "ordered_field_declaration_list":
        return [str(number) for number, _ in enumerate(body.children_by_field_name("type"))]
    return [name_of(child) for child in body.named_children if child.type == "field_declaration"]


def _putting(path: str, fields: Sequence[str]) -> str:
    bound = ", ".join(f"{field}: field{number}" for number, field in enumerate(fields))
    puts = " ".join(f"::harness_wire::Put::put(field{number}, out);" for number, _ in enumerate(fields))
    return f"{path} {{ {bound} }} => {{ out.text(b'O', \"{path}\"); out.count(b'L', {len(fields)}); {puts} }}"


def _taking(path: str, fields: Sequence[str]) -> str:
    taken = ", ".join(f"{field}: ::harness_wire::Take::take(input)" for field in fields)
    return f'("{path}", {len(fields)}) => {path} {{ {taken} }},'
