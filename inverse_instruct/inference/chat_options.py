"""How the gateway's engines read and write chats: keys of `serve` that become options of vLLM.

Enters: the `serve` section. Leaves: words for vLLM's command line, and every value that it would refuse, with the names
that it knows, which are asked of the vLLM that is here. Not guaranteed: that a model writes in the form that is named.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jinja2

from inverse_instruct.config.sections import InferenceSection, ServeSection

ASK_SECONDS = 300.0
PLUGINS = {"tool_call_parser": "--tool-parser-plugin", "reasoning_parser": "--reasoning-parser-plugin"}
"""Key -> the option of `inference.extra_arguments` that brings further names."""
_NAMES = """
import json
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager

known = {"tool_call_parser": ToolParserManager, "reasoning_parser": ReasoningParserManager}
print(json.dumps({key: manager.list_registered() for key, manager in known.items()}))
"""
_TRANSFORMERS_TAG = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")  # of its own, beside those of Jinja

logger = logging.getLogger(__name__)


def chat_options(section: ServeSection) -> list[str]:
    """Return the words of vLLM's command line that say what `serve` says of chats."""
    words = []
    if section.tool_call_parser:
        words += ["--enable-auto-tool-choice", "--tool-call-parser", section.tool_call_parser]
    if section.reasoning_parser:
        words += ["--reasoning-parser", section.reasoning_parser]
    if section.chat_template:
        words += ["--chat-template", section.chat_template]
    return words


def chat_problems(section: ServeSection, engine: InferenceSection) -> Iterator[str]:
    """Yield what of it vLLM would refuse; it is asked, which takes seconds, only where a parser is named."""
    if section.chat_template:
        yield from _template_problems(Path(section.chat_template))
    plugged = {argument.partition("=")[0].replace("_", "-") for argument in engine.extra_arguments}
    for key, plugin in PLUGINS.items():
        name = getattr(section, key)
        if name is None or plugin in plugged:
            continue
        names = known_parsers().get(key)
        if names is not None and name not in names:
            yield f"serve.{key}: vLLM has none of the name {name!r}; it has {', '.join(names)}"


def _template_problems(path: Path) -> Iterator[str]:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        yield f"serve.chat_template: {path} cannot be read ({error}); name a Jinja file"
        return
    try:
        jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(_TRANSFORMERS_TAG.sub("", source))
    except jinja2.TemplateSyntaxError as error:
        yield f"serve.chat_template: {path}, line {error.lineno}: {error.message}; mend the template"


@cache
def known_parsers() -> dict[str, list[str]]:
    """Return the names that vLLM knows, by key of `serve`; {} where it cannot be asked, which is logged."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _NAMES], capture_output=True, text=True, check=True, timeout=ASK_SECONDS
        )
        names: dict[str, list[str]] = json.loads(asked.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        logger.warning("vLLM was asked for the names of its parsers and gave none (%s)", type(error).__name__)
        return {}
    return names
