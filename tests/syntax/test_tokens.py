"""Token ids do not depend on names, and every id is in range."""

import os
import re
import subprocess
import sys

from code_envs.syntax.tokens import (
    FIXED,
    LITERAL_SLOTS,
    NAME_SLOTS,
    SHARED_SLOTS,
    VOCABULARY_SIZE,
    TokenIds,
    lex,
    tokens_of,
)

SOURCE = (
    "def total(amounts, limit):\n    best = 0\n    for v in amounts:\n        best += v * 31\n    return best < limit\n"
)


def ids(text, table=None):
    table = table or TokenIds(text)
    return [table[token] for _, token in lex(text)]


def test_renaming_variables_changes_no_id():
    """Slots are all an agent sees of a name."""
    renamed = SOURCE
    for number, name in enumerate(("total", "amounts", "limit", "best", "v")):
        renamed = re.sub(rf"\b{name}\b", f"other_{number}", renamed)
    assert renamed != SOURCE
    assert ids(renamed) == ids(SOURCE)


def test_slots_follow_first_appearance():
    """A name keeps its slot; the next new name gets the next one."""
    first, second, again, third = ids("alpha beta alpha gamma")
    assert (second, again, third) == (first + 1, first, first + 2)
    one, two, repeated = ids("31 'text' 31")
    assert (two, repeated) == (one + 1, one)


def test_keywords_builtins_and_operators_are_fixed():
    """What means the same in every program has the same id in every episode."""
    for token in ("for", "len", "**", ">=", "append", "0", "TypeError", "passed"):
        assert TokenIds()[token] == FIXED[token]
        assert ids(f"name {token}")[1] == FIXED[token]


def test_operators_are_lexed_longest_first():
    """No operator falls apart."""
    text = "a **= b // c >>> d !== e -> f := g ... h <= i"
    assert [token for _, token in lex(text)] == text.split()
    assert tokens_of(text, 7) == ["a", "**=", "b"]


def test_ids_are_in_range_and_overflow_shares_slots():
    """More names or literals than slots share a few by hash, apart from the others and from each other's kind."""
    many_names = [f"name_{number}" for number in range(NAME_SLOTS + 20)]
    many_literals = [f"{number}" for number in range(2000, 2000 + LITERAL_SLOTS + 20)]
    table = TokenIds(" ".join(many_names + many_literals))
    names = [table[each] for each in many_names]
    literals = [table[each] for each in many_literals]
    for found, slots in ((names, NAME_SLOTS), (literals, LITERAL_SLOTS)):
        own = slots - SHARED_SLOTS
        assert len(set(found[:own])) == own
        assert 1 < len(set(found[own:])) <= SHARED_SLOTS
        assert not set(found[:own]) & set(found[own:])
    assert not set(names) & set(literals)
    odd = [table[each] for each in ("é", "☃", "'", '"""', "\x00", "`x`", "0x1F", "1e9", ".5", "$")]
    odd += table.text("Ünïcode ☃ 'x' 12 x_y")
    assert all(0 <= each < VOCABULARY_SIZE for each in [*names, *literals, *odd, *FIXED.values()])
    assert len(set(FIXED.values())) == len(FIXED)
    assert 0 not in [*names, *literals, *odd]


def test_ids_depend_on_the_starting_program_only():
    """What was looked up before changes no id, neither of code nor of text."""
    busy, fresh = TokenIds(SOURCE), TokenIds(SOURCE)
    for token in ("zeta", "99", "omega", "'s'"):
        assert busy[token] not in {busy[name] for name in ("amounts", "limit", "31")}
    busy.text("omega 17 of amounts")
    tokens = ["omega", "limit", "zeta", "17", "99", "'s'", "other"]
    assert [busy[each] for each in tokens] == [fresh[each] for each in reversed(tokens)][::-1]
    assert busy.text("zeta 99 of amounts") == fresh.text("zeta 99 of amounts")


def test_description_words_share_the_slot_of_a_name():
    """A description that spells a name of the code points to it; other words get buckets."""
    code = "def longest(words):"
    table = TokenIds(code)
    text = table.text("Return the longest of words. apples Apples")
    assert text[2] == table["longest"]
    assert text[4] == table["words"]
    assert text[0] not in ids(code, table)
    assert text[-1] == text[-2]
    assert text[-1] >= VOCABULARY_SIZE - 512


def test_ids_are_equal_in_processes_with_other_hash_seeds():
    """Nothing depends on the order of sets."""
    script = (
        "from code_envs.syntax.tokens import *\n"
        f"t = TokenIds({SOURCE!r}); print([t[x] for x in ('limit', 'new', '77')], t.text('Sum below limit, weird'),"
        " VOCABULARY_SIZE)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert "[" in found.pop()


def test_lex_gives_character_offsets():
    """Offsets point at the token, behind characters of several bytes too."""
    text = "é = 'ů' + naïf_2"
    assert all(text.startswith(token, start) for start, token in lex(text))
    assert [token for _, token in lex(text)] == ["é", "=", "'ů'", "+", "naïf_2"]
