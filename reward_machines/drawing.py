"""Pictures of a machine as text: Graphviz's dot and Mermaid."""

from __future__ import annotations

from reward_machines.machine import Reward, RewardMachine, Transition

__all__ = ["to_dot", "to_mermaid"]


def to_dot(machine: RewardMachine) -> str:
    """The machine for Graphviz: `dot -Tsvg`. Terminal states have a double line."""
    lines = ["digraph {", "  rankdir=LR;", "  node [shape=circle];", "  begin [shape=point];"]
    for number, state in enumerate(machine.states):
        shape = " shape=doublecircle" if state in machine.terminal else ""
        lines.append(f"  s{number} [label={_quoted(state)}{shape}];")
    lines.append(f"  begin -> s{machine.states.index(machine.initial)};")
    for each in machine.transitions:
        source, target = machine.states.index(each.source), machine.states.index(each.target)
        lines.append(f"  s{source} -> s{target} [label={_quoted(_label(machine, each))}];")
    for state in machine.leaving if machine.fall is not None else ():
        source, target = machine.states.index(state), machine.states.index(machine.fall or "")
        lines.append(f'  s{source} -> s{target} [label="otherwise" style=dashed];')
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(machine: RewardMachine) -> str:
    """The machine for Mermaid, which Markdown pages show."""
    lines = ["stateDiagram-v2", "  direction LR"]
    lines += [f"  state {_quoted(state)} as s{number}" for number, state in enumerate(machine.states)]
    lines.append(f"  [*] --> s{machine.states.index(machine.initial)}")
    for each in machine.transitions:
        source, target = machine.states.index(each.source), machine.states.index(each.target)
        lines.append(f"  s{source} --> s{target}: {_label(machine, each)}")
    for state in machine.leaving if machine.fall is not None else ():
        lines.append(f"  s{machine.states.index(state)} --> s{machine.states.index(machine.fall or '')}: otherwise")
    lines += [f"  s{machine.states.index(state)} --> [*]" for state in machine.terminal]
    return "\n".join(lines) + "\n"


def _label(machine: RewardMachine, transition: Transition) -> str:
    reward = _reward(transition.reward, machine.components)
    return f"{transition.guard} / {reward}" if reward else str(transition.guard)


def _reward(reward: Reward, components: tuple[str, ...]) -> str:
    if not isinstance(reward, tuple):
        return f"{reward:g}" if reward else ""
    return " ".join(f"{name}={value:g}" for name, value in zip(components, reward, strict=True) if value)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
