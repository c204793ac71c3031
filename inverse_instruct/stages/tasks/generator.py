"""The generator: a snippet and a task to a row, from a reply with four keys (WaveCoder).

Enters: a snippet, a task, and cases to show. Leaves: a `Draft`, or an `Unfit` that says why the reply is none. What is
asked of a reply: the four keys, one or two sentences of instruction, two at most of information, code that parses in
its language, and in one block, where the task has code. The draft holds what the model wrote, not what it was told to.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from inverse_instruct.config.tasks import GenerateSection
from inverse_instruct.errors import TextError
from inverse_instruct.inference.prompts import PromptTemplate
from inverse_instruct.inference.sampling import Sampling
from inverse_instruct.records import Draft, Reason, Snippet, digest
from inverse_instruct.source_code.parser_process import ParserFailed, parses
from inverse_instruct.stages.room import Room
from inverse_instruct.stages.tasks.asking import Asking, with_and_without
from inverse_instruct.stages.tasks.form import Unfit, block_of, code_of, is_nothing, read_form, sentences, take_apart
from inverse_instruct.stages.tasks.frame import Field, fields_of, fill

KEYS = ("Task name", "Instruction", "Information", "Solution")
SENTENCES = 2  # of instruction, and of information
MIN_WORDS = 4  # of what is said in words
WITH_CODE = ("summarization", "repair", "translation")
"""Tasks that are about code, which stands in the information."""


def generate_template(section: GenerateSection) -> PromptTemplate:
    """Return the template of the question.

    Raises:
        ConfigError: the file that the config names is none.
    """
    name = "generate-key" if section.reply == "frame" else "generate"
    return PromptTemplate(name, section.template, "generate.template")


class Generator:
    """Writes rows."""

    def __init__(self, room: Room) -> None:
        """Prepare the question."""
        section: GenerateSection = room.section()
        self.template = generate_template(section)
        self._room, self._section = room, section
        sampling = Sampling(
            max_tokens=section.max_new_tokens,
            temperature=section.temperature,
            top_p=section.top_p,
            repetition_penalty=section.repetition_penalty,
            stop_token_ids=room.model.formatter.ending.stops,
        )
        self._asking = Asking(room, sampling)

    async def __call__(
        self, snippet: Snippet, task: str, attempt: int, good: Sequence[str], bad: Sequence[str]
    ) -> Draft:
        """Return a row that is made of a snippet.

        Raises:
            Unfit: there is none.
        """
        self._check_length(snippet)
        seed = self._room.seed(snippet.id, task, attempt)
        target = self._target(snippet, seed) if task == "translation" else snippet.language
        values = {"task": task, "language": snippet.language, "target": target, "code": snippet.code}

        def requests(**more: str) -> list[str]:
            return [self.template.render(**values, good=ok, bad=no, **more) for ok, no in with_and_without(good, bad)]

        async def ask(number: int, field: Field, before: dict[str, str]) -> str:
            own = self._room.seed(snippet.id, task, attempt, number)
            asked = requests(key=field.key, instruction=before.get("Instruction", ""))
            return await self._asking.reply(asked, field.opening, own, field.stop, part=field.key, **about)

        about: dict[str, Any] = {"row": snippet.id, "task": task, "attempt": attempt}
        if self._section.reply == "frame":
            text = await fill(fields_of(task, snippet, target), ask)
        else:
            text = await self._asking.reply(requests(), f"{KEYS[0]}:", seed, **about)
        return self._draft(snippet, task, target, attempt, seed, read_form(text, KEYS))

    def _check_length(self, snippet: Snippet) -> None:
        try:
            tokens = len(self._room.model.formatter.encode(snippet.code))
        except TextError as error:
            raise Unfit(Reason.PARSER_FAILED, str(error)) from error
        if tokens > self._section.max_snippet_tokens:
            raise Unfit(Reason.TOO_LONG, f"{tokens} tokens of code")

    def _target(self, snippet: Snippet, seed: int) -> str:
        return random.Random(seed).choice([name for name in self._section.targets if name != snippet.language])

    def _draft(self, snippet: Snippet, task: str, target: str, attempt: int, seed: int, keys: dict[str, str]) -> Draft:
        name, instruction, information, solution = (keys[key] for key in KEYS)
        if name.strip("`*. ").lower() != task:
            raise Unfit(Reason.BAD_FORM, f"the task is {task}, not {name[:80]!r}")
        _check_instruction(instruction)
        about = read_information(information, task, snippet.language)
        response = read_solution(solution, task, target)
        if task == "repair" and _squeezed(about) == _squeezed(response):
            raise Unfit(Reason.UNCHANGED, "the code is the same before and after")
        return Draft(
            id=digest(snippet.id, task, attempt, instruction, about, response),
            parents=[snippet.id],
            task=task,
            instruction=instruction,
            input=about,
            response=response,
            language=target,
            k=attempt,
            seed=seed,
            model=self._room.model.digest,
            prompt=self.template.digest,
        )


def _check_instruction(text: str) -> None:
    if len(text.split()) < MIN_WORDS:
        raise Unfit(Reason.EMPTY, f"the instruction is {text!r}")
    if take_apart(text).blocks:
        raise Unfit(Reason.BAD_FORM, "the instruction has a block of code")
    if (count := sentences(text)) > SENTENCES:
        raise Unfit(Reason.BAD_FORM, f"the instruction has {count} sentences, not {SENTENCES} at most")


def read_information(text: str, task: str, language: str) -> str:
    """Return the information as the row has it: prose, and for tasks that are about code one block; "" for none.

    Raises:
        Unfit: it says too much, lacks the code, or has code that does not parse.
    """
    parts = take_apart(text)
    prose = "" if is_nothing(parts.prose) else parts.prose
    if (count := sentences(prose)) > SENTENCES:
        raise Unfit(Reason.BAD_FORM, f"the information has {count} sentences, not {SENTENCES} at most")
    if task not in WITH_CODE:
        if parts.blocks:
            raise Unfit(Reason.BAD_FORM, "the information has a block of code")
        return prose
    code = _parsed(code_of(parts, language, "information"), language, "information")
    return "\n\n".join(filter(None, [prose, block_of(code, language)]))


def read_solution(text: str, task: str, language: str) -> str:
    """Return the solution as the row has it: one block of code, or for a summary its words.

    Raises:
        Unfit: it is something else, or does not parse.
    """
    parts = take_apart(text)
    if task == "summarization":
        if parts.blocks:
            raise Unfit(Reason.LEAKS_CODE, "the description has a block of code")
        if len(parts.prose.split()) < MIN_WORDS:
            raise Unfit(Reason.EMPTY, f"the description is {parts.prose!r}")
        return parts.prose
    if parts.prose:
        raise Unfit(Reason.BAD_FORM, f"beside the code, the solution says {parts.prose[:80]!r}")
    return block_of(_parsed(code_of(parts, language, "solution"), language, "solution"), language)


def _parsed(code: str, language: str, what: str) -> str:
    try:
        if parses(code, language):
            return code
    except ParserFailed as error:
        raise Unfit(Reason.PARSER_FAILED, str(error)) from error
    raise Unfit(Reason.SYNTAX_ERROR, f"the {what} does not parse as {language}")


def _squeezed(text: str) -> str:
    return "".join(text.split())
