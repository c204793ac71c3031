"""The YAML of a run as typed models: what may be said, in which unit, and what it means.

`config_file.py` reads them from YAML, `check.py` asks whether the world agrees (files, tokens, ports, disk).
"""

from __future__ import annotations

import re
import shlex
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from evaluation.suites import FAMILIES, SUITES
from inverse_instruct.config.addresses import check_urls
from inverse_instruct.config.corpus_source import CorpusSource
from inverse_instruct.config.editing import (
    BootstrapSection,
    ClarifySection,
    EditsSection,
    InstancesSection,
    ScenariosSection,
    SeedsSection,
    WriterSection,
)
from inverse_instruct.config.examining import EvaluateSection, PromoteSection
from inverse_instruct.config.identity import HOW
from inverse_instruct.config.outside import COMMAND, KEYS, LISTEN, Text
from inverse_instruct.config.responding import RespondSection
from inverse_instruct.config.section import Address, Benchmark, DeepSpeed, File, Model, Program, Section
from inverse_instruct.config.tasks import CoresetSection, GenerateSection, LeakageSection
from inverse_instruct.config.verifying import VerifySection
from inverse_instruct.source_code.languages import LANGUAGES

FORBIDDEN_ARGUMENTS = {
    "--trust-remote-code": "set model.trust_remote_code",
    "--api-key": "the server listens on 127.0.0.1 only, and arguments are written to run.yaml",
    "--host": "the server listens on 127.0.0.1 only; `inverse-instruct serve` is the way out",
    "--uds": "the server listens on 127.0.0.1 only",
    "--hf-token": "arguments are written to run.yaml; log in with `hf auth login`",
    "--config": "give the arguments themselves",
}
"""Of vLLM's command line -> what to do instead."""


class ModelSection(Section):
    """Which model improves itself, and how it is spoken to."""

    base: Annotated[Model, HOW]
    """Base model B, fine-tuned in every round: a folder, a name of `fetch-model`, or a name on the HF hub."""
    start: Annotated[Model | None, HOW] = None
    """Starting instruct model M0; null: round 0 makes it by training `base` on the original corpus."""
    prompt_format: Literal["chat", "magicoder", "completion"] = "chat"
    """`chat`: the tokenizer's own template; `magicoder`: the published format; `completion`: for base models."""
    yes_token: Text = "Yes"
    """Reply that counts as YES in scoring; must be a single token."""
    no_token: Text = "No"
    """Reply that counts as NO in scoring; must be a single token."""
    template_date: date | None = None
    """Date that a chat template which asks for it is told; null: the day on which the run was started first."""
    max_model_len: int = Field(4096, ge=64)
    """Context length that the server is started with, in tokens."""
    trust_remote_code: Annotated[bool, COMMAND] = False
    """Run Python code that comes with the model. Leave it off unless you have read that code."""

    @field_validator("yes_token", "no_token", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("put the word in quotes; YAML reads a bare Yes or No as true or false")
        return value


class PreprocessSection(Section):
    """Corpus to clean snippets."""

    languages: list[Text] = sorted(LANGUAGES)
    """Languages to keep; the others are rejected as unsupported."""
    share: float = Field(1.0, gt=0, le=1)
    """Share of the corpus's rows that is used, drawn by their ids; a smaller share is part of a larger one."""
    min_characters: int = Field(20, ge=1)
    """Shorter snippets are rejected."""
    max_characters: int = Field(20_000, ge=1)
    """Longer snippets are rejected."""
    near_duplicate_threshold: float = Field(0.75, gt=0, le=1)
    """Estimated Jaccard similarity of token 5-shingles from which two snippets are near duplicates."""
    benchmarks: list[Benchmark] | None = None
    """Benchmarks whose texts and solutions must not be in the training data: names of suites (`multipl_e` and
    `humanevalpack` are all of theirs) or files (JSONL, JSON, also .gz, Parquet); null: the suites that are evaluated.
    A suite is read as it is for its evaluation: from `data` of `evaluate.suites`, else from the Hugging Face hub."""
    ngram: int = Field(13, ge=5)
    """Shared run of this many words with a benchmark that counts as contamination."""
    executor: Annotated[Literal["local", "ray"], HOW] = "local"
    """Where rows are looked at: `local`, or `ray`, on the cluster that RAY_ADDRESS names, else on this machine."""
    processes: Annotated[int | None, HOW] = Field(None, ge=1, le=4096)
    """Processes that look at rows; null: one for each core, of the cluster with `ray`. The rows are the same."""
    embedding: Annotated[Model | None, HOW] = None
    """Folder of sentence-transformers, or its name on the HF hub, by which rows are found that ask for what a task of a
    benchmark asks for in other words; null: they are not looked for."""
    rephrased_similarity: float = Field(0.9, gt=0, le=1)
    """Cosine of an instruction and a description from which these are taken for the same; it depends on the model."""
    rephrased: Literal["list", "drop"] = "list"
    """What becomes of such rows: `list` writes them into near_benchmarks.jsonl, for a person; `drop` rejects them."""

    @field_validator("benchmarks")
    @classmethod
    def _names_of_suites_as_we_write_them(cls, names: list[str] | None) -> list[str] | None:
        return None if names is None else [_suite_name(name) or name for name in names]

    @model_validator(mode="after")
    def _languages_are_known(self) -> PreprocessSection:
        unknown = [language for language in self.languages if language not in LANGUAGES]
        if unknown:
            raise ValueError(f"no grammar for {', '.join(unknown)}; known: {', '.join(sorted(LANGUAGES))}")
        return self


class KeptOut(Section):
    """A benchmark that is kept out of the training data; its texts are in the keys of stages, not where they lie."""

    name: Annotated[Benchmark, HOW]
    """Of one suite, or a file."""
    data: Annotated[File | None, HOW] = None
    """File of the suite, or a folder that holds it; null: the hub, or what ships with the program."""

    @property
    def is_suite(self) -> bool:
        """Whether it is a suite's."""
        return self.name in SUITES


class InferenceSection(Section):
    """The engine that summarizes, scores and answers benchmarks."""

    endpoints: list[Address] = []
    """Base URLs of servers that run the starting model (`http://host:port`); other checkpoints get one of our own."""
    reload_endpoints: Annotated[bool, COMMAND] = False
    """Give the endpoints the weights of every checkpoint in place instead: they are started with VLLM_SERVER_DEV_MODE=1
    and untied embeddings, see the run's folder and the user's cache under the same paths, and serve nobody else."""
    port: Annotated[int, LISTEN] = Field(0, ge=0, le=65535)
    """Port on 127.0.0.1 for the first server that we start, the next ones have the next; 0 takes free ones."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Weights in the engine; `auto`: float32 on CPUs, what the checkpoint says on GPUs."""
    tensor_parallel_size: int = Field(1, ge=1)
    """GPUs that share one copy of the model."""
    data_parallel_size: int | None = Field(None, ge=1)
    """Copies of the model, each an engine of its own; null: as many as the visible GPUs hold."""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """Share of each GPU's memory that the engine may take."""
    cpu_kv_cache_gib: int = Field(2, ge=1)
    """Memory for the key-value cache on CPUs, in GiB."""
    max_num_seqs: int | None = Field(None, ge=1)
    """Sequences that an engine runs at once; null leaves it to vLLM."""
    concurrency: int = Field(64, ge=1)
    """Requests that the client keeps in flight at each engine or endpoint."""
    processes: int | None = Field(None, ge=1, le=256)
    """Processes that make prompts and read replies; null: one for every two engines, within half of the cores."""
    start_timeout_seconds: float = Field(600, gt=0)
    """How long a server may take to become healthy."""
    request_timeout_seconds: float = Field(600, gt=0)
    """How long one request may take before it is sent again."""
    max_restarts: int = Field(3, ge=0)
    """How often one server is started again after it died; deaths by a row that kills it are not counted."""
    max_failed_share: float = Field(0.03, ge=0, le=1)
    """Share of the last 1000 rows that the server may fail for good; more than that, and more than 10, end the run."""
    extra_arguments: list[Annotated[str, COMMAND]] = []
    """Further arguments for the vLLM server, as on its command line."""
    hosts: list[Annotated[str, COMMAND]] = []
    """Other machines on which engines are started for every model, as many on each as here; see `start`."""
    start: Annotated[str | None, COMMAND] = None
    """How an engine is started on one of `hosts`, such as `ssh -tt {host} {command}`; `{command}` runs a script of the
    run's folder, which the machine must see, as it must the models and this program."""

    @field_validator("endpoints")
    @classmethod
    def _endpoints_are_urls(cls, urls: list[str]) -> list[str]:
        return check_urls(urls)

    @model_validator(mode="after")
    def _endpoints_to_reload_are_named(self) -> InferenceSection:
        if self.reload_endpoints and not self.endpoints:
            raise ValueError("reload_endpoints: no endpoints are named; name them, or leave it out")
        return self

    @model_validator(mode="after")
    def _hosts_can_be_reached(self) -> InferenceSection:
        words = shlex.split(self.start or "")
        if self.hosts and ("{command}" not in words or not any("{host}" in word for word in words)):
            raise ValueError("hosts: they need `start` with {host} and {command}, such as 'ssh -tt {host} {command}'")
        if len(set(self.hosts)) < len(self.hosts):
            raise ValueError("hosts: one is named twice; name each once")
        return self

    @field_validator("extra_arguments")
    @classmethod
    def _no_arguments_of_ours(cls, arguments: list[str]) -> list[str]:
        for argument in arguments:
            given = argument.split("=")[0].replace("_", "-")
            for name, remedy in FORBIDDEN_ARGUMENTS.items():
                if len(given) > 2 and name.startswith(given):  # vLLM takes unambiguous abbreviations
                    raise ValueError(f"{name} cannot be given here; {remedy}")
        return arguments


class SummarizeSection(Section):
    """Snippet to instructions (InverseCoder section 3.2)."""

    candidates: int = Field(10, ge=1)
    """Instructions to write for each snippet."""
    prefixes: list[Text] = [
        "Write a",
        "Create a",
        "Implement a",
        "Develop a",
        "Design a",
        "Build a",
        "I want a",
    ]
    """Forced beginnings of the reply, drawn anew for every candidate; the snippet's language follows."""
    heading: Text | None = None
    """Forced first words instead of `prefixes`, which are no part of the instruction, such as `Problem Statement:`."""
    temperature: float = Field(0.8, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Nucleus sampling mass."""
    repetition_penalty: float = Field(1.1, gt=0)
    """Penalty on tokens already seen, those of the prompt included."""
    max_new_tokens: int = Field(2048, ge=1)
    """Longest instruction, in tokens; a reply that reaches it is rejected as cut off."""
    stop: list[Text] = ["```"]
    """Texts that end a reply."""
    max_snippet_tokens: int = Field(2048, ge=1)
    """Longer snippets are rejected before anything is sent."""
    max_leaked_lines: int = Field(2, ge=0)
    """An instruction that holds more than this many non-trivial lines of its snippet leaks the code."""
    template: File | None = None
    """Jinja file to use in place of `prompts/summarize.jinja`."""

    @model_validator(mode="after")
    def _prefixes_are_there(self) -> SummarizeSection:
        if not self.prefixes:
            raise ValueError("prefixes is empty; give at least one beginning, such as 'Write a'")
        return self


class ScoreSection(Section):
    """Instruction and code to LM-Score (InverseCoder section 3.3)."""

    method: Literal["logits", "verdict", "perplexity"] = "logits"
    """`logits`: LM-Score; `verdict`: 1 or 0 by the greedy reply; `perplexity`: 1 / that of the code as the reply."""
    template: File | None = None
    """Jinja file to use in place of `prompts/score.jinja`."""


class SelectionSection(Section):
    """Scored pairs to training rows."""

    method: Literal["best", "top_k", "threshold", "random"] = "best"
    """`best`: highest score per snippet; `top_k`: the k highest; `threshold`: all above; `random`: any one."""
    k: int = Field(1, ge=1)
    """Rows per snippet for `top_k`."""
    min_score: float = Field(0.0, ge=0, le=1)
    """Pairs with a lower LM-Score are rejected, whatever the method."""
    limit: int | None = Field(None, ge=1)
    """Rows of a round at most, drawn from what is chosen without regard to scores, so that runs with more and with
    fewer good rows can be compared at one size; null: all."""
    per_snippet: Literal["best_ever", "fresh", "each_round"] | None = None
    """What later rounds do with a snippet: `best_ever` trains on the best of all that any round wrote for it, judged
    again by the round's model; `fresh` gives each round snippets of its own; `each_round` chooses anew and trains on
    what earlier rounds chose too. null: `best_ever`, or `each_round` where a recipe writes new rows in each round."""
    parts: int = Field(4, ge=2)
    """Parts of the snippets, by their ids, of which `fresh` gives each round one."""
    review: Annotated[Literal["none", "wait"], HOW] = "none"
    """`wait`: each round stops when its rows are selected, until a person has looked at them and left out what should
    not be trained on (`inverse-instruct review`); what was decided is in the key of the training."""
    earlier_rounds: Literal["accumulate", "replace"] = "accumulate"
    """Whether the selected rows of earlier rounds are trained on too; with `best_ever` the newest hold the best."""


class LoraSection(Section):
    """Low-rank adapters; merged into the base model on export."""

    rank: int = Field(16, ge=1)
    """Rank of the adapters."""
    alpha: int = Field(32, ge=1)
    """Scale: the update is multiplied by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout on the adapters' input."""
    target_modules: list[Text] = ["q_proj", "k_proj", "v_proj", "o_proj"]
    """Names of the layers that get an adapter; `lm_head` or `embed_tokens` part embeddings that were tied."""


class PhaseSection(Section):
    """One training run with its own warm-up and schedule."""

    data: Literal["selected", "original", "mixed"]
    """The self-generated rows, the original corpus, or both shuffled together."""
    epochs: float = Field(gt=0)
    """Passes over the data."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate of this phase; null: that of the section."""


class TrainSection(Section):
    """Fine-tuning of the base model under DeepSpeed (InverseCoder section 4.1)."""

    phases: list[PhaseSection] = [PhaseSection(data="selected", epochs=1), PhaseSection(data="original", epochs=2)]
    """Run one after the other; round 0 runs only those on the original corpus."""
    lora: LoraSection | None = None
    """Train adapters; null: all weights."""
    optimizer: Literal["adafactor", "adamw"] = "adafactor"
    """Adafactor runs with scale_parameter and relative_step off."""
    learning_rate: float = Field(5e-5, gt=0)
    """Peak learning rate."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Decay after the warm-up."""
    warmup_steps: int = Field(15, ge=0)
    """Optimizer steps of linear warm-up, at most a tenth of a phase's steps."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay of AdamW."""
    max_grad_norm: float = Field(0.0, ge=0)
    """Gradient clipping; 0: none."""
    global_batch_size: int = Field(512, ge=1)
    """Sequences per optimizer step over all ranks."""
    micro_batch_size: Annotated[int, HOW] = Field(4, ge=1)
    """Sequences per forward pass and rank."""
    micro_batch_tokens: Annotated[int | None, HOW] = Field(None, ge=1)
    """Tokens per forward pass and rank instead, padding included, with equal work for the ranks; null: by sequences."""
    max_length: int = Field(1024, ge=16)
    """Tokens of a sequence; longer ones are cut at the end and counted, or dropped if no response is left."""
    gradient_checkpointing: Annotated[bool, HOW] = False
    """Compute activations again in the backward pass: less memory for about a third more time."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """`auto`: bf16 where the hardware does it well, else fp32."""
    deepspeed: DeepSpeed = "zero2"
    """`zero1`, `zero2`, `zero3`, or a DeepSpeed JSON file."""
    processes: Annotated[int | None, HOW] = Field(None, ge=1)
    """Ranks on each machine; null: one per GPU, or one on a CPU."""
    launcher: Annotated[Literal["deepspeed", "slurm"], HOW] = "deepspeed"
    """What starts the ranks: DeepSpeed's launcher, or `srun` on all nodes of the allocation that the run is in."""
    hostfile: Annotated[Program | None, HOW] = None
    """DeepSpeed hostfile for several machines."""
    save_steps: Annotated[int, HOW] = Field(100, ge=1)
    """Optimizer steps between checkpoints to resume from."""
    save_minutes: Annotated[float | None, HOW] = Field(None, gt=0)
    """Minutes between them instead: those of a 7B take 70 to 95 GB; null: by steps."""


class BudgetSection(Section):
    """What one start of a run may take, after which it stops cleanly with exit code 3; the same command goes on."""

    hours: float | None = Field(None, gt=0)
    """Hours; null: any time."""
    tokens: int | None = Field(None, ge=1)
    """Tokens that are read, written and trained on; null: any number."""


class CardSection(Section):
    """What the cards of an exported checkpoint say that a run cannot know."""

    title: Text | None = None
    """Heading of the model card; null: the names of the run and of the checkpoint."""
    authors: list[Text] = []
    """Who publishes it."""
    base_model: Text | None = None
    """Base model by its name on the HF hub; null: `model.base`, of a folder its last part."""
    datasets: list[Text] = []
    """The original corpus by its names on the HF hub, where it was read from files."""
    license: Text | None = None
    """License of the exported weights, by its identifier on the HF hub, such as `apache-2.0`; null: not stated."""
    base_license: Text | None = None
    """License of the base model; null: not stated."""
    data_license: Text | None = None
    """License of the exported rows, whose code is that of the corpus; null: not stated."""


class ServeSection(Section):
    """The gateway: the OpenAI-compatible service in front of the promoted checkpoint."""

    host: Annotated[str, LISTEN] = "127.0.0.1"
    """Address to listen on; others than this machine's own let the network in, so set `api_keys` then."""
    port: Annotated[int, LISTEN] = Field(8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    mode: Literal["blue_green", "in_place"] = "blue_green"
    """How a new checkpoint comes in: in a second engine, where there is room, or as new weights in the running one."""
    replicas: int = Field(1, ge=1)
    """Engines to start per checkpoint."""
    devices: list[Annotated[str, LISTEN]] | None = None
    """GPUs of these engines, as in CUDA_VISIBLE_DEVICES, which runs behind the gateway leave alone; null: all."""
    gpu_memory_utilization: float | None = Field(None, gt=0, le=1)
    """Share of each GPU's memory that one of these engines may take; null: that of `inference`."""
    endpoints: list[Address] = []
    """Base URLs of vLLM servers to use instead, started with VLLM_SERVER_DEV_MODE=1 and untied embeddings."""
    api_keys: Annotated[str, KEYS] | None = None
    """File with one key a line (`NAME: KEY`); requests must carry one of them; null: everybody may ask."""
    tool_call_parser: Text | None = None
    """Form in which the model writes calls of tools, by vLLM's name for it, such as `hermes`; null: none are read."""
    reasoning_parser: Text | None = None
    """Form in which the model thinks, by vLLM's name for it, such as `qwen3`; its thoughts then come apart, as
    `reasoning`; null: they are part of the answer."""
    chat_template: File | None = None
    """Jinja file with the template of chats, such as one that shows tools; null: the model's, which it trained with."""
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1)
    """Larger requests are refused with 413."""
    max_concurrent: int = Field(64, ge=1)
    """Requests that are with the engines at once; further ones wait."""
    max_waiting: int = Field(256, ge=0)
    """Requests that may wait; further ones are refused with 429."""
    drain_timeout_seconds: float | None = Field(None, gt=0)
    """How long requests in flight may take to end before their engine is changed or stopped; null: any time."""
    during_training: Literal["serve", "sleep", "stop"] = "serve"
    """What the engines do while a run uses the same devices; asleep or stopped, requests get 503."""

    @field_validator("endpoints")
    @classmethod
    def _endpoints_are_urls(cls, urls: list[str]) -> list[str]:
        return check_urls(urls)

    @model_validator(mode="after")
    def _given_engines_stay(self) -> ServeSection:
        if self.endpoints and self.mode != "in_place":
            raise ValueError("given endpoints can only take new weights; set serve.mode: in_place")
        if self.endpoints and self.during_training == "stop":
            raise ValueError("given endpoints cannot be stopped; set serve.during_training to serve or sleep")
        own = [key for key in ("tool_call_parser", "reasoning_parser", "chat_template") if getattr(self, key)]
        if self.endpoints and own:
            raise ValueError(f"{', '.join(own)}: given endpoints were started without; give it to them, and not here")
        return self


_PER_SNIPPET = {
    "inversecoder": ("best_ever", "fresh", "each_round"),
    "inversecoder-verified": ("best_ever", "fresh", "each_round"),
    "inversecoder-cleaned": ("each_round", "fresh"),
    "inversecoder-responses": ("each_round", "fresh"),
}
"""Recipe -> what its rounds can do with a snippet, the default first; others have no rows of a snippet each."""


class RunConfig(Section):
    """A whole run."""

    name: Text = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    """Name of the run; its folder is `runs/NAME` unless --run-dir says otherwise."""
    seed: int = Field(0, ge=0)
    """Everything random is derived from it."""
    recipe: Literal[
        "inversecoder",
        "inversecoder-verified",
        "inversecoder-cleaned",
        "inversecoder-responses",
        "instructcoder",
        "wavecoder",
    ] = "inversecoder"
    """Which stages are played."""
    rounds: Annotated[int, HOW] = Field(1, ge=0)
    """Self-training rounds after round 0."""
    model: ModelSection
    """The model."""
    corpus: list[CorpusSource] = Field([], validate_default=True)
    """The original corpus, one or several sources; `instructcoder` has `seeds` instead."""
    preprocess: PreprocessSection = PreprocessSection()
    """Corpus to snippets."""
    inference: Annotated[InferenceSection, HOW] = InferenceSection()
    """The engine."""
    summarize: SummarizeSection = SummarizeSection()
    """Snippets to candidates."""
    score: ScoreSection = ScoreSection()
    """Candidates to scores."""
    verify: VerifySection = VerifySection()
    """Candidates to verdicts, by running the code."""
    coreset: CoresetSection = CoresetSection()
    """Snippets to a choice that covers them."""
    generate: GenerateSection = GenerateSection()
    """Snippets to rows of four tasks."""
    leakage: LeakageSection = LeakageSection()
    """Drafts without those that come too near to a benchmark."""
    respond: RespondSection = RespondSection()
    """Instructions to responses."""
    selection: SelectionSection = SelectionSection()
    """Scores to training rows."""
    seeds: SeedsSection = Field(SeedsSection(), validate_default=True)
    """Repositories and files to edits."""
    edits: EditsSection = EditsSection()
    """What counts as an edit."""
    writer: WriterSection = WriterSection()
    """Who writes edits."""
    clarify: ClarifySection = ClarifySection()
    """Messages of commits to instructions."""
    bootstrap: BootstrapSection = BootstrapSection()
    """Seeds to new instructions."""
    scenarios: ScenariosSection = ScenariosSection()
    """Instructions to their situations."""
    instances: InstancesSection = InstancesSection()
    """Instructions to code before and after the edit."""
    train: TrainSection = TrainSection()
    """Training rows to a checkpoint."""
    evaluate: EvaluateSection = EvaluateSection()
    """Checkpoint to measures."""
    promote: PromoteSection = PromoteSection()
    """Measures to a decision."""
    budget: Annotated[BudgetSection, HOW] = BudgetSection()
    """What a start may take."""
    card: Annotated[CardSection, HOW] = CardSection()
    """What an export says about itself."""
    serve: Annotated[ServeSection, HOW] = ServeSection()
    """The promoted checkpoint to its users."""

    @field_validator("corpus")
    @classmethod
    def _corpus_is_named(cls, corpus: list[CorpusSource], others: ValidationInfo) -> list[CorpusSource]:
        if not corpus and others.data.get("recipe") != "instructcoder":
            raise ValueError("names no source; add one, such as `- path: corpus.jsonl`")
        return corpus

    @field_validator("seeds")
    @classmethod
    def _seeds_are_named(cls, seeds: SeedsSection, others: ValidationInfo) -> SeedsSection:
        if not (seeds.repositories or seeds.files) and others.data.get("recipe") == "instructcoder":
            raise ValueError("names neither repositories nor files; add one of them")
        return seeds

    @model_validator(mode="after")
    def _round_zero_can_train(self) -> RunConfig:
        if self.model.start is None and not any(phase.data == "original" for phase in self.train.phases):
            raise ValueError(
                "model.start is null, so round 0 trains the base model on the original corpus, but no entry of "
                "train.phases has data: original; add one or name a starting model"
            )
        return self

    @model_validator(mode="after")
    def _rounds_have_their_snippets(self) -> RunConfig:
        wanted, possible = self.selection.per_snippet, _PER_SNIPPET.get(self.recipe, ("each_round",))
        if wanted and wanted not in possible:
            raise ValueError(
                f"selection.per_snippet: {wanted} means nothing to the recipe {self.recipe}; "
                f"{' or '.join(possible)} does, as does null"
            )
        if wanted == "fresh" and self.rounds > self.selection.parts:
            raise ValueError(
                f"selection.parts is {self.selection.parts} and there are {self.rounds} rounds, so the last would have "
                "no fresh snippets; raise selection.parts, which needs another --run-dir, or lower rounds"
            )
        return self

    @property
    def per_snippet(self) -> str:
        """What later rounds do with a snippet; see `selection.per_snippet`."""
        return self.selection.per_snippet or _PER_SNIPPET.get(self.recipe, ("each_round",))[0]

    def rounds_trained_on(self, round_number: int) -> range:
        """Return the rounds whose selected rows a round trains on, its own the last of them."""
        accumulate = self.selection.earlier_rounds == "accumulate" and self.per_snippet != "best_ever"
        return range(1 if accumulate else max(1, round_number), round_number + 1)

    @property
    def kept_out(self) -> list[KeptOut]:
        """The benchmarks that are kept out of the training data, each suite by itself, with where its data lies.

        Rows that are held out are among them whatever `preprocess.benchmarks` says.
        """
        data: dict[str, str | None] = {}
        for suite in self.evaluate.suites:  # where one is asked in two ways, either may say where its file is
            data[suite.suite] = data.get(suite.suite) or suite.data
        named = list(data) if self.preprocess.benchmarks is None else self.preprocess.benchmarks
        named = [*named, *({"held_out"} & set(data) - set(named))]
        readers = [group for name in named for group in FAMILIES.get(name, ((name,),))]
        # of several suites that read one file, one is enough: one that is evaluated, for it says where the file is
        names = dict.fromkeys(next((name for name in group if name in data), group[0]) for group in readers)
        return [KeptOut(name=name, data=data.get(name)) for name in names]


def _suite_name(name: str) -> str:
    """Return the name of a suite, or of several, however its words are joined, such as `MultiPL-E`; "" for no such."""
    return _SQUEEZED.get(_squeezed(name), "")


def _squeezed(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.lower().replace("+", "plus"))


_SQUEEZED = {_squeezed(name): name for name in (*SUITES, *FAMILIES)}
