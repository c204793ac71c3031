"""Every key of a config in one document, made from the fields and their doc lines.

Enters: the config's types. Leaves: Markdown, or a JSON schema by which editors check and complete a config. What a
validator refuses beyond types and bounds is in neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from inverse_instruct.config.identity import how_keys
from inverse_instruct.config.sections import RunConfig

HEAD = """# Config reference

Made by `inverse-instruct config --reference`; `inverse-instruct config --schema` prints a JSON schema for editors. Keys
with ↻ may change within a run; any other change makes another run of it. Lists hold any number of what stands in
brackets.
"""


def schema() -> dict[str, Any]:
    """Return the JSON schema of a config."""
    return RunConfig.model_json_schema()


def reference() -> str:
    """Return the reference as Markdown."""
    whole = schema()
    changeable = set(how_keys(RunConfig))
    return "\n".join([HEAD, *_section(whole, whole["$defs"], "", changeable)])


def _section(about: dict[str, Any], parts: dict[str, Any], place: str, changeable: set[str]) -> Iterator[str]:
    """Yield the lines of a section, and of the sections in it."""
    required = set(about.get("required", []))
    inner: list[tuple[str, dict[str, Any]]] = []
    yield from ["| key | what it may be | default | meaning |", "|---|---|---|---|"]
    for name, field in about["properties"].items():
        key = f"{place}{name}"
        part = _part_of(field, parts)
        if part is not None:
            inner.append((f"{key}." if "items" not in field else f"{key}[].", part))
        default = "" if name in required else f"`{json.dumps(field.get('default'), ensure_ascii=False)}`"
        mark = " ↻" if _may_change(key, changeable) else ""
        shown = "see below" if part is not None and len(default) > 10 else default
        kind = "a section, see below" if part is not None and "items" not in field else _kind(field, parts)
        meaning = field.get("description") or (part or {}).get("description", "")
        yield f"| `{key}`{mark} | {_cell(kind)} | {_cell(shown)} | {_cell(meaning)} |"
    yield ""
    for place_, part in inner:
        yield f"## `{place_.rstrip('.')}`\n"
        yield f"{part.get('description', '')}\n"
        yield from _section(part, parts, place_, changeable)


def _may_change(key: str, changeable: set[str]) -> bool:
    plain = key.replace("[]", "")
    return plain in changeable


def _part_of(field: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any] | None:
    """Return the section that a field holds, or holds a list of; None: it holds plain values."""
    for form in (field, field.get("items", {}), *field.get("anyOf", []), *field.get("allOf", [])):
        if "$ref" in form:
            part: dict[str, Any] = parts[form["$ref"].rpartition("/")[2]]
            return part if "properties" in part else None
    return None


def _kind(field: dict[str, Any], parts: dict[str, Any]) -> str:
    """Say in words what a value may be."""
    if "anyOf" in field:
        return " or ".join(_kind(form, parts) for form in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2].removesuffix("Section")
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of [{_kind(field.get('items', {}), parts)}]"
    if "additionalProperties" in field and field["additionalProperties"]:
        return f"names, each with a {_kind(field['additionalProperties'], parts)}"
    names = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    kind = names.get(str(field.get("type")), str(field.get("type", "anything")))
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {field[name]:g}" for name, sign in bounds.items() if name in field]
    return f"{kind} {', '.join(told)}".strip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
