"""Score a diary of daily results (True for a day the goal was met). Each met day earns 1 point,
and every time the current run of met days reaches a multiple of bonus_every days, 5 extra
points. Each missed day ends the run and costs 2 points, but the score never falls below 0.
Return the final score."""


def streak_points(days, bonus_every):
    points = 0
    run = 0
    for met in days:
        if met:
            run += 1
            points += 1
            if run % bonus_every == 0:
                points += 5
        else:
            run = 0
            points = max(0, points - 2)
    return points


TESTS = [
    (([], 3), 0),
    (([True], 3), 1),
    (([False], 3), 0),
    (([True, True, True], 3), 8),
    (([True, True, True, True], 3), 9),
    (([True, True, True, True, True, True], 3), 16),
    (([True, True, False, True], 3), 1),
    (([True, False, True], 5), 1),
    (([False, False, True, True], 2), 7),
    (([True, True, True, False], 4), 1),
    (([True, True], 1), 12),
    (([True, True, False, False, True, True], 2), 10),
    (([True, False, False, True, True], 3), 2),
]
