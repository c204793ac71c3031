"""What an engine refuses, told to those who do not know the engine: its options become keys of the config.

Enters: the body of a refusal. Leaves: the same, but for a message that names options of the engine's command line.
"""

from __future__ import annotations

import json
import re

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
REMEDIES = {
    "--tool-call-parser": "the calls that this model writes are not read here, so `tools` are refused; whoever runs "
    "this service can set serve.tool_call_parser to their form, such as hermes",
    "--reasoning-parser": "the thoughts that this model writes are not told from its answers here; whoever runs this "
    "service can set serve.reasoning_parser to their form, such as qwen3",
    "--trust-request-chat-template": "a request brings no chat template of its own, which would run as a program; "
    "leave out chat_template, the model's is used",
}
OTHERS = "; the options are the engine's, and whoever runs this service can give them in inference.extra_arguments"


def in_our_words(content: bytes) -> bytes:
    """Return the body of an engine's refusal with a remedy that the service has."""
    try:
        tree = json.loads(content)
        message = tree["error"]["message"]
        options = OPTION.findall(message)
    except (ValueError, TypeError, KeyError):
        return content  # it is passed on as it is
    if not options:
        return content
    ours = next((REMEDIES[option] for option in options if option in REMEDIES), message.rstrip(".") + OTHERS)
    return json.dumps(tree | {"error": tree["error"] | {"message": ours}}).encode()
