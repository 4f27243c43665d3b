"""Return the text 'Hello ' followed by the name."""


def greeting(name):
    return "Hello " + name


TESTS = [
    (("",), "Hello "),
    (("a",), "Hello a"),
    (("ab",), "Hello ab"),
    (("Hello",), "Hello Hello"),
    (("ABC",), "Hello ABC"),
    (("xyzzy",), "Hello xyzzy"),
    (("level",), "Hello level"),
    (("two words",), "Hello two words"),
    (("aAbB",), "Hello aAbB"),
    (("123",), "Hello 123"),
    (("a1b2",), "Hello a1b2"),
    (("noon",), "Hello noon"),
]
