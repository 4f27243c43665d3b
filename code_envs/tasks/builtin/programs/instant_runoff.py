"""Each ballot is a list of candidate names, favourite first. In each round every ballot counts
for its first candidate still in the race (a ballot with none left is ignored). A candidate with
more than half of the counted ballots wins; otherwise the candidate with the fewest votes is
removed (ties: the alphabetically last of them). Return the winner, or None if no candidate is
named on any ballot."""


def instant_runoff(ballots):
    running = {name for ballot in ballots for name in ballot}
    while running:
        tally = {name: 0 for name in running}
        counted = 0
        for ballot in ballots:
            for name in ballot:
                if name in running:
                    tally[name] += 1
                    counted += 1
                    break
        fewest = min(tally.values())
        for name in sorted(running):
            if 2 * tally[name] > counted:
                return name
            if tally[name] == fewest:
                loser = name
        running.remove(loser)
    return None


TESTS = [
    (([],), None),
    (([[]],), None),
    (([["ann"]],), "ann"),
    (([["b", "a"]],), "b"),
    (([["z"], ["z"], ["x"], ["y", "x"]],), "x"),
    (([["ann"], ["bob"], ["bob"]],), "bob"),
    (([["ann"], ["bob"]],), "ann"),
    (([["a", "b"], ["a"], ["b"], ["b"], ["c", "a"]],), "a"),
    (([["a"], ["a"], ["b"], ["b"], ["c"]],), "a"),
    (([["a"], ["a"], ["b"], ["b"], ["c", "b"]],), "b"),
    (([["a"], ["a"], ["b"], ["b"], ["c", "d", "b"], []],), "b"),
    (([["x", "y"], ["y", "x"], ["z", "y"], ["z", "y"], ["y"]],), "y"),
    (([["d", "a"], ["c", "d"], ["b", "c"], ["a"]],), "a"),
    (([["b", "c"], ["b"], ["a", "c"], ["a", "c"], ["c", "b"]],), "b"),
]
