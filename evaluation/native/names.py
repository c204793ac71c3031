"""The names that a piece of a program gives, or whose values it changes, in any of the languages.

Enters: nodes of syntax trees. Leaves: names, without signs such as PHP's `$`.
Not guaranteed: scoping as exact as a compiler's; where it is in doubt a name too many is found.
"""

import re
from itertools import islice

from tree_sitter import Node

from evaluation.native.sources import name_of, text_of, walk

STATEMENTS = {
    "assignment",
    "call_expression",
    "compound_statement",
    "do_statement",
    "expression_statement",
    "for_in_statement",
    "for_statement",
    "foreach_statement",
    "if_statement",
    "labeled_statement",
    "repeat_while_statement",
    "statement_block",
    "switch_statement",
    "try_statement",
    "unset_statement",
    "while_statement",
    "with_statement",
}
"""What does something where a program begins to run (JavaScript, PHP, Swift), or is a macro's use (C++, Rust)."""
_ASSIGNMENTS = {
    "assignment",
    "assignment_expression",
    "augmented_assignment_expression",
    "reference_assignment_expression",
}
_CALLS = {
    "call_expression",
    "function_call_expression",
    "member_call_expression",
    "new_expression",
    "object_creation_expression",
    "scoped_call_expression",
}
_DEFINING = {"class_alias", "define"}
_LOOPS = {"for_in_statement", "foreach_statement"}
_PLACES = {"member_access_expression", "member_expression", "subscript_expression"}
_LEAVES = {
    "field_identifier",
    "identifier",
    "name",
    "namespace_identifier",
    "property_identifier",
    "shorthand_property_identifier_pattern",
    "simple_identifier",
    "type_identifier",
}
_DECLARATORS = {
    "array_declarator",
    "array_pattern",
    "assignment_pattern",
    "attributed_declarator",
    "function_declarator",
    "init_declarator",
    "object_assignment_pattern",
    "object_pattern",
    "pair_pattern",
    "parenthesized_declarator",
    "pattern",
    "pointer_declarator",
    "qualified_identifier",
    "reference_declarator",
    "rest_pattern",
    "structured_binding_declarator",
    "variable_declarator",
}
_NAMED = {
    "class_specifier",
    "const_element",
    "const_spec",
    "enum_specifier",
    "enumerator",
    "struct_specifier",
    "type_spec",
    "union_specifier",
    "var_spec",
}
_LISTS = {"enumerator_list", "var_spec_list"}
_NAMELESS = {"default_value", "key", "parameters", "right", "size", "value"}
"""Fields of declarators that give no name."""
_LONG = 200
"""Of so many nodes is an expression of which no more is looked at: answers must not keep their examiner busy."""
_QUIET = {"console", "process", "print", "printf", "print_r", "var_dump", "debugPrint", "dump", "alert"}


def words_of(text: str) -> set[str]:
    """Return all that could be a name in a text."""
    return set(re.findall(r"\w+", text))


def given_names(node: Node) -> frozenset[str]:
    """Return the names that a definition gives, or by whose use it is meant.

    The latter are enumerators, the types that operators, methods and implementations belong to, and their methods.
    """
    if node.type == "impl_item":
        parts = (text_of(node.child_by_field_name(field)).partition("<")[0] for field in ("type", "trait"))
        body = node.child_by_field_name("body")
        members = {name_of(member) for member in body.children} if body else set()
        return frozenset(word for part in (*parts, *members) for word in words_of(part))
    if node.type == "macro_invocation":
        return frozenset(words_of(text_of(node)))
    names = {name_of(node)} | _parts_named(node) | _types_in(node.child_by_field_name("receiver"))
    if text_of(node.child_by_field_name("declaration_kind")) == "extension":
        body = node.child_by_field_name("body")
        names |= {name_of(member) for member in body.children} if body else set()
    if node.type == "function_definition":
        names |= _cpp_function_names(node)
    return frozenset(name for name in names if re.fullmatch(r"\w+", name))


def changed_names(node: Node) -> frozenset[str]:
    """Return the names of what a statement or a function gives or may change beyond itself."""
    names: set[str] = set()
    for part in walk(node):
        if part.type in _ASSIGNMENTS:
            names |= _names_in(part.child_by_field_name("left") or part.children[0])
        elif part.type == "update_expression":
            names |= _names_in(part)
        elif part.type in _CALLS:
            names |= _handed_over(part)
        elif part.type == "variable_declaration" and node.type in STATEMENTS:
            names |= given_names(part)
        elif part.type in _LOOPS:  # by the name that it gives to each item
            names |= _names_in(part.child_by_field_name("right") or part.named_children[0])
        elif part is not node and part.type in ("function_definition", "function_declaration", "class_declaration"):
            names.add(name_of(part))
    if called_names(node) & _DEFINING:  # names of constants may be computed
        names |= {text_of(part) for part in walk(node) if part.type == "string_content"}
    return frozenset(names - _declared_inside(node))


def assigned_names(node: Node) -> frozenset[str]:
    """Return the names to the left of a statement that is an assignment; none where it is not."""
    part = node.children[0] if node.type == "expression_statement" and node.children else node
    if part.type not in _ASSIGNMENTS:
        return frozenset()
    return frozenset(_names_in(part.child_by_field_name("left") or part.children[0]))


def held_names(node: Node) -> frozenset[str]:
    """Return the names in the values that a declaration or an assignment gives; none where those are functions."""
    values = (part.child_by_field_name("value") for part in walk(node) if part.type == "variable_declarator")
    part = node.children[0] if node.type == "expression_statement" and node.children else node
    assigned = part.child_by_field_name("right") if part.type in _ASSIGNMENTS else None
    found = [value for value in (*values, assigned) if value and not re.search(r"=>|\bfunction\b", text_of(value))]
    return frozenset(name for value in found for name in _names_in(value))


def called_names(node: Node) -> frozenset[str]:
    """Return the plain names of the functions that are called anywhere in a node."""
    called = (part.child_by_field_name("function") or part.children[0] for part in walk(node) if part.type in _CALLS)
    return frozenset(text_of(function) for function in called if function.type in _LEAVES)


def is_output(node: Node) -> bool:
    """Tell whether a statement does nothing but print."""
    call = next((part for part in walk(node) if part.type in _CALLS), None)
    if node.type not in ("expression_statement", "call_expression") or call is None:
        return False
    return bool(words_of(text_of(call).partition("(")[0]) & _QUIET)


def _parts_named(node: Node) -> set[str]:
    """Return the names in the declarators of a node."""
    names: set[str] = set()
    for position, child in enumerate(node.children):
        field = node.field_name_for_child(position)
        if field in _NAMELESS and node.type != "pair_pattern" or field == "type" and child.type not in _NAMED:
            continue
        if child.type in _LEAVES and node.type in _DECLARATORS | _NAMED | {"declaration", "type_definition"}:
            names.add(text_of(child))
        elif child.type in _DECLARATORS | _NAMED | _LISTS:
            names |= _parts_named(child)
    return names


def _cpp_function_names(node: Node) -> set[str]:
    """Return what else a C++ function belongs to: an operator to its types, a macro's use to all that it is given."""
    declarator = next((part for part in walk(node) if part.type == "function_declarator"), None)
    if declarator is None:
        return set()
    if node.child_by_field_name("type") is None:
        return words_of(text_of(declarator))
    named = declarator.child_by_field_name("declarator")
    is_operator = named is not None and named.type == "operator_name"
    return _types_in(declarator.child_by_field_name("parameters")) if is_operator else set()


def _types_in(node: Node | None) -> set[str]:
    return {text_of(part) for part in walk(node) if part.type == "type_identifier"} if node else set()


def _names_in(node: Node) -> set[str]:
    """Return the names at the beginning of an expression, and the keys of PHP's `$GLOBALS`."""
    parts = list(islice(walk(node), _LONG))
    names = {text_of(part) for part in parts if part.type in _LEAVES}
    if "GLOBALS" in names:
        names |= {text_of(part) for part in parts if part.type == "string_content"}
    return names


def _handed_over(call: Node) -> set[str]:
    """Return what a call may change: the object whose method it is, and plain names among its arguments."""
    function = call.child_by_field_name("function") or call.child_by_field_name("object") or call.children[0]
    called = _names_in(function)
    if called & _QUIET:
        return set()
    names = called if function.type not in _LEAVES or "object" in call.type else set()
    listed = call.child_by_field_name("arguments") or call.children[-1]
    for argument in islice(listed.named_children, _LONG):
        while argument.type in ("argument", "value_arguments", "value_argument") and argument.named_children:
            argument = argument.named_children[-1]
        if argument.type in ("variable_name", *_LEAVES):
            names |= words_of(text_of(argument))
        elif argument.type in _PLACES:
            names |= _names_in(argument)
        elif argument.type == "string" and function.type not in _LEAVES:  # as in Object.defineProperty(a, 'name', b)
            names |= words_of(text_of(argument))
    return names


def _declared_inside(node: Node) -> set[str]:
    kinds = {"lexical_declaration", "variable_declaration", "property_declaration"}
    if node.type in STATEMENTS:
        kinds.remove("variable_declaration")  # JavaScript's var is not of the block
    return {name for part in walk(node) if part is not node and part.type in kinds for name in given_names(part)}
