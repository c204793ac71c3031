"""Texts and token ids that the model is shown: templates, prompt formats, tokenization.

Enters: a model folder and what a stage wants to say. Leaves: token ids, so that the server never applies a template of
its own. Text from data is never read as a control token. Uses `tokenizer.json` directly: no torch, no transformers.
Not guaranteed: models without a `tokenizer.json`.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from inverse_instruct.errors import ConfigError, ModelError
from inverse_instruct.records import digest

TEMPLATES = Path(__file__).with_name("prompts")
CONTENT = "\ue000content\ue001"  # stands for the user's words while a chat template is rendered

MAGICODER = (
    "You are an exceptionally intelligent coding assistant that consistently delivers accurate and reliable "
    "responses to user instructions.\n\n@@ Instruction\n{content}\n\n@@ Response\n"
)
COMPLETION = "Question:\n{content}\n\nAnswer:\n"


LANGUAGE_NAMES = {
    "bash": "Bash", "c": "C", "cpp": "C++", "csharp": "C#", "go": "Go", "java": "Java", "javascript": "JavaScript",
    "php": "PHP", "python": "Python", "ruby": "Ruby", "rust": "Rust", "swift": "Swift", "typescript": "TypeScript",
}
"""Language -> how a person writes it."""


class PromptTemplate:
    """A Jinja text of one stage, named by its digest."""

    def __init__(self, name: str, override: str | None = None) -> None:
        """Load the shipped template of that name, or the user's own file.

        Raises:
            ConfigError: the file is missing or is not a Jinja template.
        """
        path = Path(override) if override else TEMPLATES / f"{name}.jinja"
        try:
            text = path.read_text(encoding="utf-8").rstrip("\n")
            environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)  # no HTML
            self._template = environment.from_string(text)
        except OSError as error:
            raise ConfigError([f"{name}.template: {path} cannot be read ({error.strerror}); check the path"]) from error
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError([f"{name}.template: {path}:{error.lineno}: {error.message}"]) from error
        self.digest = digest(text)

    def render(self, **values: str) -> str:
        """Fill in the values; a value's own braces stay as they are.

        Raises:
            ConfigError: the template uses a value that its stage does not give, or does what no prompt needs.
        """
        try:
            return self._template.render(values)
        except jinja2.TemplateError as error:
            raise ConfigError([f"template: {error}; it may use {', '.join(sorted(values))}"]) from error


class PromptFormatter:
    """Wraps requests in the form that a model was trained on, as token ids."""

    def __init__(self, model: Path, prompt_format: str) -> None:
        """Read the tokenizer of a model folder.

        Args:
            model: a local model folder.
            prompt_format: `chat`, `magicoder` or `completion`.

        Raises:
            ModelError: there is no readable `tokenizer.json`, or no chat template where one is needed.
        """
        self.model = model
        self.prompt_format = prompt_format
        self._tokenizer = _load_tokenizer(model)
        self._data_tokenizer = _load_tokenizer(model)
        self._settings = _read_json(model / "tokenizer_config.json")
        added = [token.content for token in self._tokenizer.get_added_tokens_decoder().values()]
        self._control_tokens = {token for token in added if token.strip()}  # runs of spaces are text
        self._data_tokenizer.add_special_tokens(sorted(self._control_tokens))  # some models do not flag all of theirs
        self._data_tokenizer.encode_special_tokens = True
        self._chat_template = _chat_template(model, self._settings) if prompt_format == "chat" else ""
        self._before, self._after = self._frame()

    def encode(self, text: str, *, control_tokens: bool = False) -> list[int]:
        """Return the ids of a text, without BOS; only with `control_tokens` can it hold control tokens."""
        tokenizer = self._tokenizer if control_tokens else self._data_tokenizer
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        """Return the text of token ids, control tokens left out."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def response_prompt(self, request: str, beginning: str = "") -> list[int]:
        """Return the prompt after which the model replies to a request.

        Args:
            request: the user's words.
            beginning: forced first words of the reply.
        """
        return self._encode_framed(request.strip(), beginning)

    def training_ids(self, instruction: str, response: str) -> tuple[list[int], list[int]]:
        """Return (prompt ids, response ids); the response ends with `end_of_response`."""
        prompt = self.response_prompt(instruction)
        whole = self._encode_framed(instruction.strip(), response.rstrip())
        answer = whole[len(prompt) :] if whole[: len(prompt)] == prompt else self.encode(response.rstrip())
        return prompt, answer + self.end_of_response

    def single_token(self, word: str) -> int:
        """Return the id of a word that is one token at the start of a reply.

        Raises:
            ModelError: it is not one token.
        """
        start = self.response_prompt("x")
        ids = self.response_prompt("x", word)[len(start) :]
        if len(ids) != 1:
            pieces = [self._tokenizer.id_to_token(token) for token in ids]
            raise ModelError(f"{word!r} is {len(ids)} tokens for {self.model} ({' '.join(map(str, pieces))}); choose a "
                             "word that is a single token, such as 'Yes' or 'No'")
        return ids[0]

    @cached_property
    def end_of_response(self) -> list[int]:
        """The token ids that end a response: end of turn in a chat, EOS otherwise."""
        if self.prompt_format == "chat":
            tail = self._render([{"role": "user", "content": "x"}, {"role": "assistant", "content": CONTENT}], False)
            for token in self.encode(tail.partition(CONTENT)[2], control_tokens=True):
                if self._tokenizer.id_to_token(token) in self._control_tokens:
                    return [token]
        eos = self._setting("eos_token")
        last = self._tokenizer.token_to_id(eos) if eos else None
        if last is None:
            raise ModelError(f"{self.model}: tokenizer_config.json names no eos_token, so a response cannot be ended")
        return [last]

    def _frame(self) -> tuple[str, str]:
        if self.prompt_format == "chat":
            text = self._render([{"role": "user", "content": CONTENT}], True)
        else:
            text = (MAGICODER if self.prompt_format == "magicoder" else COMPLETION).replace("{content}", CONTENT)
        before, found, after = text.partition(CONTENT)
        if not found:
            raise ModelError(f"{self.model}: the chat template drops the user's message; use another prompt_format")
        return before, after

    def _encode_framed(self, content: str, beginning: str) -> list[int]:
        bos = [] if self.prompt_format == "chat" else self._bos()
        if any(token in content or token in beginning for token in self._control_tokens):
            # piecewise, so that control tokens written in the data stay plain text
            frame = [self.encode(part, control_tokens=True) for part in (self._before, self._after)]
            return [*bos, *frame[0], *self.encode(content), *frame[1], *self.encode(beginning)]
        return bos + self.encode(self._before + content + self._after + beginning, control_tokens=True)

    def _bos(self) -> list[int]:
        with_bos = self._tokenizer.encode("", add_special_tokens=True).ids
        eos = self._tokenizer.token_to_id(self._setting("eos_token") or "")
        return [token for token in with_bos[:1] if token != eos]

    def _setting(self, name: str) -> str:
        value = self._settings.get(name)
        return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")

    def _render(self, messages: list[dict[str, str]], reply_next: bool) -> str:
        def refuse(message: str) -> None:
            raise ModelError(f"{self.model}: the chat template refuses the conversation: {message}")

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = refuse
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        names = ("bos_token", "eos_token", "pad_token", "unk_token")
        values = {name: self._setting(name) for name in names}
        try:
            return environment.from_string(self._chat_template).render(
                messages=messages, add_generation_prompt=reply_next, **values
            )
        except jinja2.TemplateError as error:
            raise ModelError(f"{self.model}: the chat template does not work: {error}") from error


def _load_tokenizer(model: Path) -> Any:
    path = model / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{path} is missing; give a model folder that has a fast tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()  # both may be left over from training, and would cut prompts in silence
        tokenizer.no_padding()
        return tokenizer
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{path} is not a tokenizer: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    return value if isinstance(value, dict) else {}


def _chat_template(model: Path, settings: dict[str, Any]) -> str:
    path = model / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):  # several named ones
        template = next((entry["template"] for entry in template if entry.get("name") == "default"), None)
    if not template:
        raise ModelError(f"{model} has no chat template; set model.prompt_format to magicoder or completion")
    return str(template)
