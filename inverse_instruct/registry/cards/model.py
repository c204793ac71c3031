"""The model card: what a checkpoint is, how it was made, what was measured, and what is not known.

Enters: the record of a run and the lineage of one checkpoint. Leaves: the text of its `README.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from markupsafe import Markup

from inverse_instruct import __version__
from inverse_instruct.benchmarks.compare import Comparison, compare
from inverse_instruct.config.examining import SuiteSection
from inverse_instruct.config.sections import RunConfig, TrainSection
from inverse_instruct.inference.tokenization.frame import COMPLETION, MAGICODER
from inverse_instruct.registry.cards.markdown import NOT_STATED, render
from inverse_instruct.registry.cards.shared import (
    card_title,
    corpus_names,
    counts,
    decontamination,
    funnel,
    method,
    public_name,
)
from inverse_instruct.registry.lineage import History, Lineage
from inverse_instruct.store.measures import Phase, SuiteReport


def model_card(history: History, lineage: Lineage, has_dataset: bool) -> str:
    """Return the model card of a checkpoint.

    Raises:
        RunDirError: the results that it was compared by are gone.
    """
    config = history.config
    selected = lineage.self_generated
    title = card_title(history, lineage)
    prompts = {"chat": "", "magicoder": MAGICODER, "completion": COMPLETION}
    return render(
        "model.md.jinja",
        {
            "front_matter": _front_matter(config, lineage, title, has_dataset),
            "title": title,
            "name": lineage.name,
            "round": lineage.round,
            "run": config.name,
            "method": method(config),
            "trained": lineage.base is not None,
            "facts": _facts(config, lineage),
            "data": {
                kind: sum(data.rows or 0 for data in lineage.data if data.data == kind)
                for kind in ("selected", "original")
            },
            "writers": list(dict.fromkeys(data.written_by for data in selected)),
            "settings": {
                "candidates": config.summarize.candidates,
                "yes": config.model.yes_token,
                "no": config.model.no_token,
                "selection": _selection(config),
            },
            "stages": funnel(history, [data.round for data in selected]),
            "corpus": corpus_names(config),
            "decontamination": decontamination(config),
            "training": _training(config),
            "phases": [_phase(number, phase) for number, phase in enumerate(lineage.phases, 1)],
            "results": [row for suite in config.evaluate.suites for row in _results(suite, lineage.suites)],
            "comparisons": _comparisons(history, lineage),
            "promoted": bool(lineage.decision and lineage.decision.promoted),
            "reason": lineage.decision.reason if lineage.decision else None,
            "limits": list(_limits(lineage)),
            "prompt_format": config.model.prompt_format,
            "prompt": Markup(repr(prompts[config.model.prompt_format])),
            "max_model_len": config.model.max_model_len,
        },
    )


def _front_matter(config: RunConfig, lineage: Lineage, title: str, has_dataset: bool) -> Markup:
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=name,
            dataset_name=name,
            metric_type=f"pass@{k}",
            metric_name=f"pass@{k} ({kind})",
            metric_value=round(100 * rate.rate, 2),
            metric_args={"confidence_interval_95": [round(100 * rate.low, 2), round(100 * rate.high, 2)]},
        )
        for name, report in lineage.suites.items()
        for k, rates in report.pass_at_k.items()
        for kind, rate in (("base", rates.base), ("plus", rates.plus))
        if rate
    ]
    data = ModelCardData(
        license=config.card.license or "unknown",
        base_model=_base_name(config, lineage),
        datasets=config.card.datasets or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["code", "self-training", "inverse-instruct", *(["synthetic"] if has_dataset else [])],
        model_name=" ".join(title.split()),
        eval_results=results or None,
    )
    return Markup(data.to_yaml())


def _base_name(config: RunConfig, lineage: Lineage) -> str:
    return public_name(lineage.given) if lineage.given else config.card.base_model or public_name(config.model.base)


def _facts(config: RunConfig, lineage: Lineage) -> list[tuple[str, str]]:
    card, name = config.card, _base_name(config, lineage)
    return [
        ("weights", f"{_dtype(lineage)}, digest {lineage.digest}"),
        ("base model", f"{name}, digest {lineage.base.digest}") if lineage.base else ("model", name),
        *([("authors", ", ".join(card.authors))] if card.authors else []),
        ("license", card.license or NOT_STATED),
        ("license of the base model", card.base_license or NOT_STATED),
        *([("license of the data", card.data_license or NOT_STATED)] if lineage.data else []),
        ("made by", f"inverse-instruct {__version__}, seed {config.seed}, config {lineage.run.config_digest}"),
    ]


def _dtype(lineage: Lineage) -> str:
    settings = json.loads(Path(lineage.files.path, "config.json").read_text(encoding="utf-8"))
    return str(settings.get("dtype") or settings.get("torch_dtype") or "number format unknown")


def _selection(config: RunConfig) -> str:
    section = config.selection
    floor = f", of those with an LM-Score of at least {section.min_score}" if section.min_score else ""
    chosen = {
        "best": "the instruction with the highest score",
        "random": "one instruction, drawn at random",
        "top_k": f"the {section.k} instructions with the highest scores",
        "threshold": "every instruction",
    }
    return chosen[section.method] + floor


def _training(config: RunConfig) -> list[tuple[str, str]]:
    section: TrainSection = config.train
    lora = section.lora
    return [
        (
            "trained",
            f"LoRA of rank {lora.rank}, alpha {lora.alpha}, on {', '.join(lora.target_modules)}; merged"
            if lora
            else "all weights",
        ),
        ("optimizer", section.optimizer),
        ("learning rate", f"{section.learning_rate:g}, {section.schedule}, up to {section.warmup_steps} warm-up steps"),
        ("weight decay", f"{section.weight_decay:g}"),
        ("gradient clipping", f"{section.max_grad_norm:g}" if section.max_grad_norm else "none"),
        ("sequences per step", str(section.global_batch_size)),
        ("tokens per sequence, at most", str(section.max_length)),
        ("loss", "on response tokens only"),
        ("prompt format", config.model.prompt_format),
    ]


def _phase(number: int, phase: Phase) -> dict[str, Any]:
    return {
        "label": f"{number}: {phase.data}",
        "rows": phase.rows,
        "rejected": counts(phase.rejected),
        "truncated": phase.truncated,
        "steps": phase.steps,
        "tokens": phase.tokens,
        "loss": f"{phase.loss_first:.3f} → {phase.loss_last:.3f}",
    }


def _results(suite: SuiteSection, reports: dict[str, SuiteReport]) -> list[dict[str, Any]]:
    report = reports.get(suite.name)
    if report is None:
        return []
    sampling = f"{suite.samples} at temperature {suite.temperature:g}" if suite.temperature else "greedy"
    measured = [
        (f"pass@{k}, {kind} tests" if rates.plus else f"pass@{k}", report.problems, rate)
        for k, rates in report.pass_at_k.items()
        for kind, rate in (("base", rates.base), ("plus", rates.plus))
        if rate
    ]
    if consistency := report.self_consistency:
        rates = {"base": consistency.base, "plus": consistency.plus}
        measured += [
            (f"self-consistency, {kind} tests", consistency.problems, rate) for kind, rate in rates.items() if rate
        ]
    return [
        {
            "suite": suite.name,
            "sampling": sampling,
            "measure": measure,
            "rate": f"{100 * rate.rate:.1f}",
            "interval": f"{100 * rate.low:.1f} to {100 * rate.high:.1f}",
            "problems": problems,
        }
        for measure, problems, rate in measured
    ]


def _comparisons(history: History, lineage: Lineage) -> list[dict[str, Any]]:
    """Compare with the checkpoint that was promoted before this one, and with the first one."""
    rivals = {lineage.rival: "the promoted checkpoint of that time"} if lineage.rival else {}
    if lineage.round > 0:
        rivals.setdefault(history.name(0), "the first one of the run")
    own = history.run_dir.stage(lineage.round, "evaluate")
    return [
        _comparison(name, role, compare(history.run_dir.stage(_round(history, name), "evaluate"), own))
        for name, role in rivals.items()
    ]


def _round(history: History, name: str) -> int:
    return next(checkpoint.round for checkpoint in history.checkpoints if checkpoint.name == name)


def _comparison(name: str, role: str, paired: Comparison) -> dict[str, Any]:
    difference, effect = paired.difference, paired.minimum_detectable_effect
    return {
        "name": name,
        "role": role,
        "baseline": f"{100 * paired.baseline:.1f}",
        "candidate": f"{100 * paired.candidate:.1f}",
        "gained": paired.gained,
        "lost": paired.lost,
        "difference": f"{100 * difference.rate:+.1f}",
        "interval": f"{100 * difference.low:+.1f} to {100 * difference.high:+.1f}",
        "p_two_sided": f"{paired.p_two_sided:.3g}",
        "p_worse": f"{paired.p_worse:.3g}",
        "detectable": f"Smallest difference that these problems would likely show: {100 * effect:.1f} points."
        if effect is not None
        else "Too few problems differ to show any difference.",
    }


def _limits(lineage: Lineage) -> Iterator[str]:
    if lineage.self_generated:
        yield "It learned from what it believes of code; what it misunderstands, training on it may confirm."
    for name, report in lineage.suites.items():
        effect = report.minimum_detectable_effect
        missed = "any paired difference" if effect is None else f"a paired difference below {100 * effect:.1f} points"
        yield (
            f"On {name}, with {report.problems} problems, {missed} is likely missed, if two models differ on a "
            "tenth of the problems."
        )
        for why, count in report.not_measured.items():
            yield f"{count} problems of {name} were not measured: {why}."
        if not report.sandboxed:
            yield f"The programs of {name} were run without a sandbox."
