"""People queue for tickets; person i wants tickets[i] >= 1 of them. The front person buys one
ticket, which takes one second, and goes to the back of the queue if more are wanted, otherwise
leaves. Return how many seconds pass until the person who started at index who has bought the
last wanted ticket."""

from collections import deque


def ticket_queue_time(tickets, who):
    queue = deque()
    for person, wanted in enumerate(tickets):
        queue.append((person, wanted))
    seconds = 0
    while queue:
        person, wanted = queue.popleft()
        seconds += 1
        if wanted > 1:
            queue.append((person, wanted - 1))
        elif person == who:
            break
    return seconds


TESTS = [
    (([1], 0), 1),
    (([4], 0), 4),
    (([1, 1], 0), 1),
    (([1, 1], 1), 2),
    (([2, 3, 2], 2), 6),
    (([2, 3, 2], 1), 7),
    (([2, 3, 2], 0), 4),
    (([5, 1, 1, 1], 0), 8),
    (([5, 1, 1, 1], 3), 4),
    (([1, 9], 0), 1),
    (([1, 9], 1), 10),
    (([3, 3, 3], 0), 7),
    (([3, 3, 3], 2), 9),
]
