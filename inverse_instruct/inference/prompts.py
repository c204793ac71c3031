"""Texts and token ids that the model is shown: templates, prompt formats, tokenization.

Enters: a model folder and what a stage wants to say. Leaves: token ids, so that the server never applies a template of
its own; they are those of `AutoTokenizer` and its chat template. Text from data is never read as a control token. What
a model folder brings runs in a process of its own, see `tokenization/`. Not guaranteed: models without a
`tokenizer.json`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from inverse_instruct.errors import ConfigError, ModelError
from inverse_instruct.inference.models import check_links
from inverse_instruct.inference.stop_tokens import Ending
from inverse_instruct.inference.tokenization.process import Setting, ask, decode, describe
from inverse_instruct.records import digest

logger = logging.getLogger(__name__)

TEMPLATES = Path(__file__).with_name("templates")
DRAFT = ("input", "instruction", "language", "response", "task")
VALUES = {
    "summarize": ("code", "language"),
    "score": ("code", "instruction", "language", "no", "yes"),
    "generate": ("bad", "code", "good", "language", "target", "task"),
    "generate-key": ("bad", "code", "good", "instruction", "key", "language", "target", "task"),
    "discriminate": ("bad", "good", "row", "task"),
    "discriminate-step": ("bad", "good", "no", "row", "step", "task", "yes"),
    "draft-instruction": DRAFT,
    "draft-response": DRAFT,
    "clarify": ("input", "language", "message", "output"),
    "bootstrap": ("intent", "language", "tasks"),
    "scenarios": ("count", "instruction", "language", "shots"),
    "scenarios-shot": ("instruction", "scenario"),
    "instances": ("instruction", "language", "scenario", "shots"),
    "instances-shot": ("input", "instruction", "language", "output", "scenario"),
    "score-edit": ("input", "instruction", "language", "no", "output", "yes"),
    "verify": ("instruction", "signature"),
    "verify-calls": ("calls", "code", "function"),
}
"""Template -> what it is given."""
TOKENIZER_FILES = {".json", ".jinja", ".model"}
"""Endings of the files that decide how a model is spoken to."""

LANGUAGE_NAMES = {
    "bash": "Bash",
    "c": "C",
    "cpp": "C++",
    "csharp": "C#",
    "go": "Go",
    "java": "Java",
    "javascript": "JavaScript",
    "php": "PHP",
    "python": "Python",
    "ruby": "Ruby",
    "rust": "Rust",
    "swift": "Swift",
    "typescript": "TypeScript",
}
"""Language -> how a person writes it."""


class PromptTemplate:
    """A Jinja text of one stage, named by its digest."""

    def __init__(self, name: str, override: str | None = None, key: str = "") -> None:
        """Load the shipped template of that name, or the user's own file.

        Args:
            name: of the template.
            override: the user's own file.
            key: of the config that names it, for messages; "" is that of the section of the same name.

        Raises:
            ConfigError: the file is missing, is not a Jinja template, or cannot be filled in.
        """
        self._key = key or f"{name}.template"
        path = Path(override) if override else TEMPLATES / f"{name}.jinja"
        try:
            text = path.read_text(encoding="utf-8").rstrip("\n")
            environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)  # no HTML
            self._template = environment.from_string(text)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError([f"{self._key}: {path} cannot be read ({why}); check the path"]) from error
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError([f"{self._key}: {path}:{error.lineno}: {error.message}"]) from error
        self.digest = digest(text)
        self.render(**dict.fromkeys(VALUES[name], "x"))

    def render(self, **values: str) -> str:
        """Fill in the values; a value's own braces stay as they are.

        Raises:
            ConfigError: the template uses a value that its stage does not give, or does what no prompt needs.
        """
        try:
            return self._template.render(values)
        except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise ConfigError([f"{self._key}: {error}; it may use {', '.join(sorted(values))}"]) from error


class PromptFormatter:
    """Wraps requests in the form that a model was trained on, as token ids.

    What takes words raises `TextError` if the tokenizer cannot take these, and `ModelError` if that goes on.
    """

    def __init__(self, model: Path, prompt_format: str, day: date | None = None) -> None:
        """Have the tokenizer of a model folder loaded, and its chat template read.

        Args:
            model: a local model folder.
            prompt_format: `chat`, `magicoder` or `completion`.
            day: what a chat template that asks for the date is told; None: today.

        Raises:
            ModelError: the folder has no tokenizer that works, or no chat template where one is needed.
        """
        self.model = model
        self.prompt_format = prompt_format
        self.day = (day or date.today()).isoformat()
        check_links(model)
        files = sorted(path for path in model.iterdir() if path.suffix in TOKENIZER_FILES and path.is_file())
        stamp = digest(*(f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in files))
        self._setting = Setting(str(model.absolute()), prompt_format, self.day, stamp)
        known = describe(self._setting)
        for warning in known["warnings"]:
            logger.warning("%s: %s", model, warning)
        self.end_of_response: list[int] = [known["end"]]
        """The token ids that end a response: end of turn in a chat, EOS otherwise."""
        stops = tuple(dict.fromkeys([known["end"], *known["stops"]]))
        self.ending = Ending(known["end"], stops, known["eos_name"], known["as_it_stands"])
        """At which tokens a reply ends, those included that the folder names for servers."""
        self.variables: dict[str, Any] = known["variables"]
        """Variables that a server's chat template must be told for the same prompt."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without BOS; it cannot hold control tokens."""
        return ask(self._setting, "texts", [text])[0]

    def decode(self, ids: list[int]) -> str:
        """Return the text of token ids, control tokens left out."""
        return decode(self._setting, ids)

    def response_prompt(self, request: str, beginning: str = "") -> list[int]:
        """Return the prompt after which the model replies to a request.

        Args:
            request: the user's words.
            beginning: forced first words of the reply.
        """
        return self.response_prompts([(request, beginning)])[0]

    def response_prompts(self, asks: Sequence[tuple[str, str]]) -> list[list[int]]:
        """Return the prompts of several (request, forced beginning) at once, which is faster than one by one."""
        return ask(self._setting, "prompts", [(request.strip(), beginning) for request, beginning in asks])

    def bare_prompt(self, beginning: str) -> list[int]:
        """Return the prompt after which the model goes on from a text, whatever it was trained to reply to."""
        return ask(self._setting, "bare", [beginning])[0]

    def training_ids(self, instruction: str, response: str) -> tuple[list[int], list[int]]:
        """Return (prompt ids, response ids); the response ends with `end_of_response`."""
        return self.training_rows([(instruction, response)])[0]

    def training_rows(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """Return (prompt ids, response ids) of several (instruction, response) at once."""
        ids = ask(self._setting, "rows", [(asked.strip(), answered.rstrip()) for asked, answered in pairs])
        return list(zip(ids[::2], ids[1::2], strict=True))

    def single_token(self, word: str) -> int:
        """Return the id of a word that is one token at the start of a reply.

        Raises:
            ModelError: it is not one token.
        """
        start, whole = self.response_prompts([("x", ""), ("x", word)])
        ids = whole[len(start) :]
        if whole[: len(start)] != start or len(ids) != 1:
            raise ModelError(
                f"{word!r} is {len(ids)} tokens for {self.model} ({ids}); choose a word that is a single "
                "token, such as 'Yes' or 'No'"
            )
        return ids[0]
