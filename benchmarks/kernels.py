"""The fused cross-modal attention against stock PyTorch: is it right, how fast is it, and what does training gain?

    python -m benchmarks.kernels --out runs/kernels

One call builds, checks and times every variant and writes a CSV file and a plot. The floor is the larger of the bytes
that must be moved over the measured copy bandwidth, and the operations over the measured matrix rate. Without a GPU it
says so, checks the kernel in Triton's interpreter, and measures PPO's rollouts and updates on the CPU.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from agents.cross_modal_extractor import CONFIGURATIONS
from benchmarks.kernels_training import rollout_and_update
from benchmarks.kernels_variants import ATTENTION, POOL, Batch, Run, make_batch, truth

__all__ = ["Row", "check", "floor_ms", "ratios", "table", "time_variants"]

SIZES = ((256, 4), (768, 12))
"""Width D and heads H: our default and the paper's."""
SAMPLES = (256, 1024, 4096)
RAGGED = ("varlen", "nested", "flex, compiled")
TARGETS = {"padded SDPA, mask": 2.0, "best ragged": 1.3, "of the floor": 0.6, "memory": 3.0}
"""What the kernel is to reach: times faster than, share of, and times less than the padded path."""
NAN = float("nan")
NO_GPU = "No GPU: nothing is timed. The kernel is checked in Triton's interpreter."


@dataclass(frozen=True)
class Row:
    """One variant at one shape; times in ms, NaN with a `note` where it did not run."""

    operator: str
    width: int
    heads: int
    samples: int
    backward: bool
    variant: str
    p20_ms: float
    p50_ms: float
    p80_ms: float
    peak_mib: float
    floor_ms: float
    note: str = ""

    @property
    def shape(self) -> tuple[Any, ...]:
        """What rows are compared at."""
        return self.operator, self.width, self.samples, self.backward


@dataclass(frozen=True)
class Machine:
    """What the floor is reckoned from."""

    bytes_per_s: float
    operations_per_s: float


# checking -----------------------------------------------------------------------------------------


def check(batch: Batch, variants: dict[str, dict[str, Callable[[Batch], Run]]]) -> list[tuple[str, str, str]]:
    """Largest error of each variant against float64, and whether it is within twice that of plain PyTorch.

    Args:
        batch: A small batch.
        variants: By operator and name.

    Returns:
        Operator, variant and a verdict.
    """
    expected, found = truth(batch), []
    for operator, makers in variants.items():
        errors: dict[str, float | str] = {}
        for name, make in makers.items():
            try:
                with torch.no_grad():
                    outputs = [_packed(batch, side, each) for side, each in enumerate(make(batch)())]
                pairs = zip(outputs, expected[operator], strict=True)
                errors[name] = max((one.double() - other).abs().max().item() for one, other in pairs)
            except Exception as problem:  # another version of PyTorch may lack a variant: the table says so
                errors[name] = _reason(problem)
        plain = [error for name, error in errors.items() if name.startswith("padded") and isinstance(error, float)]
        for name, error in errors.items():
            verdict = error if isinstance(error, str) else f"error {error:.1e}"
            if name == "ours" and isinstance(error, float):
                allowed = 2 * max(plain) + 16 * torch.finfo(torch.float32).eps
                verdict += f", {'within' if error <= allowed else 'BEYOND'} {allowed:.1e}"
            found.append((operator, name, verdict))
    return found


def _packed(batch: Batch, side: int, output: torch.Tensor) -> torch.Tensor:
    return output[batch.real[side]] if output.shape[:2] == batch.real[side].shape else output


def _reason(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"does not run: {first[:90]}"


# timing -------------------------------------------------------------------------------------------


def measured_machine() -> Machine:
    """Copy bandwidth, read and write together, and bfloat16 matrix rate of this GPU."""
    from triton.testing import do_bench

    source = torch.empty(1 << 29, dtype=torch.bfloat16, device="cuda")
    target = torch.empty_like(source)
    copy_ms = do_bench(lambda: target.copy_(source), return_mode="median")
    matrix = torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda")
    product_ms = do_bench(lambda: matrix @ matrix, return_mode="median")
    return Machine(2 * source.nbytes / copy_ms * 1e3, 2 * 8192**3 / product_ms * 1e3)


def floor_ms(batch: Batch, operator: str, backward: bool, machine: Machine) -> float:
    """Least time for a shape: every input read once, every output written once, every needed product made once."""
    tokens, heads, width = sum(len(each) for each in batch.packed), *batch.packed[0].shape[2:]
    pairs = sum(int(code) * int(text) for code, text in zip(*(each.sum(1) for each in batch.real), strict=True))
    vectors = tokens * (4 if operator == "attention" else 3)
    products = 4 if operator == "attention" else 2
    if backward:
        vectors += tokens * (8 if operator == "attention" else 6)
        products += 10 if operator == "attention" else 6
    moved = vectors * heads * width * batch.packed[0].element_size()
    return 1e3 * max(moved / machine.bytes_per_s, 2 * products * pairs * heads * width / machine.operations_per_s)


def time_variants(
    batch: Batch, operator: str, makers: dict[str, Callable[[Batch], Run]], machine: Machine
) -> list[Row]:
    """Time forward, and forward with backward, of each variant on a CUDA batch."""
    heads, width = batch.packed[0].shape[2:]
    rows = []
    for backward in (False, True):
        least = floor_ms(batch, operator, backward, machine)
        for name, make in makers.items():
            row = partial(Row, operator, heads * width, heads, len(batch.tau), backward, name)
            try:
                run = _pass(batch, make(batch), backward)
                p20, p50, p80 = _times(run)
                rows.append(row(p20, p50, p80, _peak_mib(run), least))
            except Exception as error:  # see `check`; out of memory is a result too
                torch.cuda.empty_cache()
                rows.append(row(NAN, NAN, NAN, NAN, least, _reason(error)))
    return rows


def _pass(batch: Batch, run: Run, backward: bool) -> Callable[[], Any]:
    if not backward:
        return torch.no_grad()(run)
    with torch.no_grad():
        seeds = [torch.ones_like(each) for each in run()]
    return lambda: torch.autograd.grad(run(), batch.leaves, seeds, allow_unused=True)


def _times(run: Callable[[], Any]) -> list[float]:
    from triton.testing import do_bench

    return list(do_bench(run, warmup=50, rep=200, quantiles=[0.2, 0.5, 0.8]))


def _peak_mib(run: Callable[[], Any]) -> float:
    """Memory beyond what the batch itself takes."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


# report -------------------------------------------------------------------------------------------


def ratios(rows: Sequence[Row]) -> dict[tuple[Any, ...], dict[str, float]]:
    """At each shape what `TARGETS` names: ours against the others, the floor, and their memory."""
    found = {}
    for shape in dict.fromkeys(row.shape for row in rows):
        here = {row.variant: row for row in rows if row.shape == shape and not row.note}
        ours, padded = here.get("ours"), here.get("padded SDPA, mask")
        if ours is None:
            continue
        found[shape] = {"of the floor": ours.floor_ms / ours.p50_ms}
        if padded is not None:
            found[shape]["padded SDPA, mask"] = padded.p50_ms / ours.p50_ms
            found[shape]["memory"] = padded.peak_mib / max(ours.peak_mib, 1e-9)
        ragged = [here[name].p50_ms for name in RAGGED if name in here]
        if ragged:
            found[shape]["best ragged"] = min(ragged) / ours.p50_ms
    return found


def table(rows: Sequence[Row]) -> str:
    """All rows as Markdown, then the ratios with their targets."""
    lines = [
        "| operator | D/H | B | pass | variant | p20 ms | p50 ms | p80 ms | peak MiB | of the floor |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        head = f"| {row.operator} | {row.width}/{row.heads} | {row.samples} | {_way(row.backward)} | {row.variant} | "
        times = f"{row.p20_ms:.3f} | {row.p50_ms:.3f} | {row.p80_ms:.3f} | {row.peak_mib:.0f} | "
        lines.append(head + (f"{row.note} | | | | |" if row.note else times + f"{row.floor_ms / row.p50_ms:.2f} |"))
    lines += ["", "| operator | D | B | pass | " + " | ".join(f"{name} (>= {goal})" for name, goal in TARGETS.items())]
    lines[-1] += " |"
    lines.append("|---" * (4 + len(TARGETS)) + "|")
    for (operator, width, samples, backward), reached in ratios(rows).items():
        cells = " | ".join(_cell(reached.get(name), goal) for name, goal in TARGETS.items())
        lines.append(f"| {operator} | {width} | {samples} | {_way(backward)} | {cells} |")
    return "\n".join(lines)


def _way(backward: bool) -> str:
    return "forward + backward" if backward else "forward"


def _cell(value: float | None, goal: float) -> str:
    return "-" if value is None else f"{value:.2f} {'reached' if value >= goal else 'missed'}"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Median time over the floor, by variant and shape."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    chosen = [row for row in rows if row.operator == "attention" and not row.note]
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    for axis, backward in zip(axes, (False, True), strict=True):
        for name in dict.fromkeys(row.variant for row in chosen):
            line = [row for row in chosen if row.variant == name and row.backward == backward]
            labels = [f"D {row.width}\nB {row.samples}" for row in line]
            axis.plot(labels, [row.p50_ms / row.floor_ms for row in line], marker="o", label=name)
        axis.set(title=_way(backward), ylabel="time / floor", yscale="log")
    axes[0].legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


# command line -------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/kernels"), help="folder for the CSV file and the plot")
    parser.add_argument("--quick", action="store_true", help="one shape, and training at its smallest")
    parser.add_argument("--parts", nargs="+", choices=("kernel", "training"), default=("kernel", "training"))
    parser.add_argument("--tasks", default="mutants:builtin", help="task source of the training part")
    options = parser.parse_args(arguments)
    cuda = torch.cuda.is_available()
    machine = f"{os.cpu_count()} {platform.machine()} cores, Python {platform.python_version()}, torch "
    machine += f"{torch.__version__}" + (f", {torch.cuda.get_device_name()}" if cuda else ", no GPU")
    print(machine)
    options.out.mkdir(parents=True, exist_ok=True)
    if "kernel" in options.parts:
        _kernel(options, cuda)
    if "training" in options.parts:
        costs = _training(options, "cuda" if cuda else "cpu")
        (options.out / "training.json").write_text(json.dumps({"machine": machine, "costs": costs}, indent=1))
    return 0


def _kernel(options: argparse.Namespace, cuda: bool) -> None:
    variants = {"attention": ATTENTION, "pool": POOL}
    if not cuda:
        print(NO_GPU)
        os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported, which the first variant does
    small = make_batch(64, 4, 64, torch.bfloat16, "cuda") if cuda else make_batch(3, 1, 32, torch.float32, "cpu", 0.1)
    for operator, name, verdict in check(small, variants):
        print(f"  {operator:10} {name:18} {verdict}")
    if not cuda:
        return
    import triton

    limits = measured_machine()
    print(f"triton {triton.__version__}; copy {limits.bytes_per_s / 1e12:.2f} TB/s", end="")
    print(f", bfloat16 matrices {limits.operations_per_s / 1e12:.0f} Top/s")
    rows = []
    for width, heads in SIZES[:1] if options.quick else SIZES:
        for samples in SAMPLES[:1] if options.quick else SAMPLES:
            batch = make_batch(samples, heads, width // heads, torch.bfloat16, "cuda")
            for operator, makers in variants.items():
                rows += time_variants(batch, operator, makers, limits)
    print(table(rows))
    with (options.out / "kernels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    draw(rows, options.out / "kernels.png")


def _training(options: argparse.Namespace, device: str) -> dict[str, Any]:
    """Time PPO with the extractor; on a GPU with and without the kernel."""
    torch.set_num_threads(1)  # spinning threads cost more than they gain where cores are shared
    size = (4, 2, 1) if options.quick else (32, 8, 2)
    settings = (
        [("reference", False)] if device == "cpu" else [("reference", False), ("triton", False), ("triton", True)]
    )
    costs = {}
    for configuration in ("default",) if device == "cpu" or options.quick else CONFIGURATIONS:
        for kernel, amp in settings:
            found = rollout_and_update(
                *size, device, kernel, amp=amp, configuration=configuration, tasks=options.tasks, executor="local:1"
            )
            name = f"{configuration}, {kernel}{', bfloat16' if amp else ''}"
            costs[name] = found
            print(
                f"{name}, {size[0]} environments: a step takes {found['step_ms']:.1f} ms in the environments and "
                f"{found['network_ms']:.1f} ms in the network ({found['share']:.0%}); an update over "
                f"{size[0] * size[1]} steps {found['update_ms']:.0f} ms. Of the extractor's time the fusion is "
                f"{found['fusion']:.0%}, the encoders {found['encoders']:.0%}; {found['padding']:.0%} of code is pad"
            )
    return costs


if __name__ == "__main__":
    sys.exit(main())
