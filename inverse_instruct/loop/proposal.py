"""A config to start with, by a look at the model, the corpus and the machine.

Enters: a model, a corpus, and where it is to run. Leaves: what was found out, and the text of a YAML file with a remark
for whatever a person may want to change. Not guaranteed: that these settings are the best; `check` says what they take.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import yaml

from inverse_instruct.config.corpus_source import CorpusSource, FieldNames
from inverse_instruct.corpus.readers import read_source
from inverse_instruct.errors import CorpusError, ModelError
from inverse_instruct.inference.model_files import parameter_count
from inverse_instruct.inference.models import read_settings, resolve_model
from inverse_instruct.inference.prompts import PromptFormatter
from inverse_instruct.records import SourceRow
from inverse_instruct.system.machine import gpu_memory, gpus
from inverse_instruct.training.memory import WEIGHT, bytes_per_rank

LOOKED_AT = 100_000  # rows of a corpus; more are not counted
LONGEST = 4096  # tokens of context
WORDS = (("Yes", "No"), ("YES", "NO"), ("yes", "no"), ("A", "B"))
FULL_BATCHES = 30  # optimizer steps of an epoch that are worth more than a larger batch


@dataclass(frozen=True)
class FoundModel:
    """What a model is like."""

    name: str
    parameters: int
    context: int  # tokens
    prompt_format: str
    words: tuple[str, str]  # for YES and NO, each a single token

    @property
    def follows_instructions(self) -> bool:
        """Whether it has a chat template, by which instruct models are told."""
        return self.prompt_format == "chat"


@dataclass(frozen=True)
class FoundCorpus:
    """What a corpus is like."""

    path: str
    fields: FieldNames | None
    rows: int
    has_instructions: bool
    broken: int  # rows that cannot be read


@dataclass(frozen=True)
class Device:
    """Where it is to run."""

    gpus: int  # 0: on the CPU
    bytes: int = 0  # memory of the smallest of them; 0: not known


def look_at_model(name: str) -> FoundModel:
    """Look at a model.

    Raises:
        ModelError: it is not here, or no pair of words is a single token each.
    """
    folder = resolve_model(name)
    settings = read_settings(folder / "config.json")
    context = settings.get("max_position_embeddings")
    for form in ("chat", "completion"):
        try:
            formatter = PromptFormatter(folder, form)
        except ModelError:
            continue
        for words in WORDS:
            try:
                list(map(formatter.single_token, words))
            except ModelError:
                continue
            size = min(LONGEST, context) if isinstance(context, int) else LONGEST
            return FoundModel(name, parameter_count(folder), size, form, words)
    raise ModelError(f"{folder}: neither Yes and No nor other such words are single tokens in any frame")


def look_at_corpus(path: str, fields: FieldNames | None) -> FoundCorpus:
    """Look at a corpus.

    Raises:
        CorpusError: it is not there, or its layout cannot be told; `fields` names the fields then.
    """
    good, broken = [], []
    for row in islice(read_source(CorpusSource(path=path, fields=fields)), LOOKED_AT):
        if isinstance(row, SourceRow):
            good.append(row)
        else:
            broken.append(row)
    if not good:
        why = f"; the first {broken[0].detail}" if broken else ""
        raise CorpusError(f"{path}: none of {len(broken)} rows can be read{why}")
    asked = sum(bool(row.instruction.strip()) for row in good)
    return FoundCorpus(path, fields, len(good), 2 * asked >= len(good), len(broken))


def look_at_device(wanted: str) -> Device:
    """Look at the machine; `wanted` is `cpu`, `gpu`, or "" for GPUs where there are some.

    Raises:
        ModelError: GPUs are wanted and there are none.
    """
    here = gpus() if wanted != "cpu" else []
    if wanted == "gpu" and not here:
        raise ModelError("there is no GPU that this program can use; choose the device cpu")
    memory = gpu_memory()
    return Device(len(here), min((memory[name].total for name in here if name in memory), default=0))


def propose(name: str, model: FoundModel, corpus: FoundCorpus, device: Device) -> str:
    """Return the text of a config."""
    return "\n".join(_lines(name, model, corpus, device)) + "\n"


def _lines(name: str, model: FoundModel, corpus: FoundCorpus, device: Device) -> Iterator[str]:
    starts = model.follows_instructions or not corpus.has_instructions
    yes, no = map(json.dumps, model.words)  # in quotes: YAML reads a bare Yes as true
    more = "+" * (corpus.rows == LOOKED_AT)
    yield f"# {_said(model.name)} improves itself on {_said(corpus.path)}: {corpus.rows:,}{more} rows."
    yield "# All keys: `inverse-instruct config --reference`. Look first: `inverse-instruct run THIS --preview 20`."
    yield f"name: {_said(name)}"
    yield "seed: 0"
    yield "rounds: 1                   # a finished run goes on with more of them"
    yield ""
    yield "model:"
    yield f"  base: {_said(model.name)}    # what training starts from, in every round"
    if starts:
        yield f"  start: {_said(model.name)}   # writes and judges in the first round"
    else:
        yield "  start: null               # a base model: round 0 trains it on the corpus, and it writes after that"
    yield f"  prompt_format: {model.prompt_format}{' ' * 6}# {_why_format(model)}"
    yield f"  yes_token: {yes}"
    yield f"  no_token: {no}"
    yield f"  max_model_len: {model.context}"
    yield ""
    yield "corpus:"
    yield f"  - path: {_said(corpus.path)}"
    if corpus.fields:
        yield "    fields:"
        for field, value in corpus.fields.model_dump(exclude_none=True).items():
            yield f"      {field}: {_said(value)}"
    yield ""
    yield from _inference(device)
    yield "summarize:"
    yield f"  candidates: {10 if device.gpus else 4}            # instructions for each snippet; the best is taken"
    yield f"  max_new_tokens: {min(model.context // 4, 1024 if device.gpus else 128)}"
    if not model.follows_instructions and not corpus.has_instructions:
        yield '  heading: "Problem Statement:"   # a base model follows a heading better than a request'
    yield ""
    yield from _training(model, corpus, device)
    yield "evaluate:"
    yield "  suites:                   # `inverse-instruct suites` lists more; what is measured is kept out of the rows"
    yield "    - suite: mini"
    yield f"      max_new_tokens: {512 if device.gpus else 256}"


def _why_format(model: FoundModel) -> str:
    return "it has a chat template" if model.follows_instructions else "it has no chat template"


def _inference(device: Device) -> Iterator[str]:
    yield "inference:"
    if device.gpus:
        yield "  concurrency: 256          # requests in flight at each engine"
    else:
        yield "  dtype: float32            # equal results on every CPU"
    yield ""


def _training(model: FoundModel, corpus: FoundCorpus, device: Device) -> Iterator[str]:
    batch = next(size for size in (512, 256, 128, 64, 32, 16, 8) if corpus.rows >= size * FULL_BATCHES or size == 8)
    selected_alone = not corpus.has_instructions
    yield "train:"
    yield "  phases:"
    yield "    - {data: selected, epochs: 1}"
    if not selected_alone:
        yield "    - {data: original, epochs: 2}"
    yield f"  global_batch_size: {batch}     # about {max(1, corpus.rows // batch)} steps an epoch"
    yield f"  learning_rate: {'5.0e-5' if device.gpus else '2.0e-5'}"
    if not device.gpus:
        yield "  optimizer: adamw"
        yield "  dtype: float32"
        yield f"  micro_batch_size: {min(8, batch)}"
        yield f"  max_length: {min(512, model.context)}"
        yield ""
        return
    yield "  micro_batch_tokens: 16384 # tokens of a GPU at once; fewer where memory runs out"
    yield f"  max_length: {min(1024, model.context)}"
    yield "  gradient_checkpointing: true"
    yield "  save_minutes: 20"
    fits = [
        stage
        for stage in (2, 3)
        if bytes_per_rank(model.parameters, "adafactor", stage, device.gpus) < 0.7 * (device.bytes or float("inf"))
    ]
    yield f"  deepspeed: zero{fits[0] if fits else 2}"
    if not fits:
        room = "frozen weights fit" if WEIGHT * model.parameters < 0.7 * device.bytes else "even these may not fit"
        yield f"  lora: {{rank: 16, alpha: 32}}   # all weights do not fit these GPUs; {room}"
    yield ""


def _said(text: str) -> str:
    """Return a text as YAML says it, on one line."""
    if not text.isprintable():
        return json.dumps(text)
    return yaml.safe_dump(text, default_flow_style=True, width=10_000, allow_unicode=True).removesuffix("...\n").strip()


def name_for(corpus: str) -> str:
    """Return a name for a run on a corpus."""
    stem = Path(corpus).name.split(".")[0] or "run"
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in stem).strip("._-")
    return kept[:60] or "run"
