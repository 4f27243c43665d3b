"""Evaluate a postfix expression given as a list of tokens: integers (as int) and the operators
'+', '-', '*' and '/' (division rounded down), each taking the two values before it. Return None
if an operator lacks values, if a division by zero occurs, or if not exactly one value is left
at the end."""


def evaluate_postfix(tokens):
    stack = []
    for token in tokens:
        if isinstance(token, int):
            stack.append(token)
            continue
        if len(stack) < 2:
            return None
        b = stack.pop()
        a = stack.pop()
        if token == "+":
            stack.append(a + b)
        elif token == "-":
            stack.append(a - b)
        elif token == "*":
            stack.append(a * b)
        else:
            if b == 0:
                return None
            stack.append(a // b)
    if len(stack) != 1:
        return None
    return stack[0]


TESTS = [
    (([],), None),
    (([7],), 7),
    (([7, 8],), None),
    (([2, 3, "+"],), 5),
    (([2, 3, "-"],), -1),
    (([4, 3, "*"],), 12),
    (([7, 2, "/"],), 3),
    (([-7, 2, "/"],), -4),
    (([7, 0, "/"],), None),
    (([0, 1, "/"],), 0),
    (([2, "+"],), None),
    (([5, 1, 2, "+", 4, "*", "+", 3, "-"],), 14),
    (([9, 3, 3, "-", "/"],), None),
    (([20, 2, 3, "*", "/", 1, "-"],), 2),
    (([1, 2, 3, "+"],), None),
]
