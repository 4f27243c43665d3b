"""Given busy intervals (start, end) in any order, possibly overlapping, return the list of free
slots (start, end) inside the working day from opening to closing that last at least minimum, in
order. Busy time outside the day is ignored; minimum is at least 1."""


def free_slots(busy, opening, closing, minimum):
    slots = []
    free_from = opening
    for start, end in sorted(busy):
        if start >= closing:
            break
        if start - free_from >= minimum:
            slots.append((free_from, start))
        free_from = max(free_from, end)
    if closing - free_from >= minimum:
        slots.append((free_from, closing))
    return slots


TESTS = [
    (([], 9, 17, 1), [(9, 17)]),
    (([], 9, 17, 8), [(9, 17)]),
    (([], 9, 17, 9), []),
    (([(9, 17)], 9, 17, 1), []),
    (([(10, 12)], 9, 17, 1), [(9, 10), (12, 17)]),
    (([(10, 12)], 9, 17, 2), [(12, 17)]),
    (([(14, 15), (10, 12)], 9, 17, 2), [(12, 14), (15, 17)]),
    (([(10, 16), (11, 12)], 9, 17, 1), [(9, 10), (16, 17)]),
    (([(5, 8), (18, 20)], 9, 17, 1), [(9, 17)]),
    (([(5, 10), (16, 20)], 9, 17, 1), [(10, 16)]),
    (([(17, 18), (12, 13)], 9, 17, 4), [(13, 17)]),
    (([(10, 11), (11, 12), (12, 13)], 9, 17, 1), [(9, 10), (13, 17)]),
    (([(16, 19), (18, 25)], 9, 17, 3), [(9, 16)]),
    (([(25, 30), (11, 16)], 9, 20, 2), [(9, 11), (16, 20)]),
]
