"""Return the words, joined by ','."""


def joined_by_commas(words):
    return ",".join(words)


TESTS = [
    (([],), ""),
    ((["a"],), "a"),
    ((["a", "b"],), "a,b"),
    ((["cat", "dog", "bird"],), "cat,dog,bird"),
    ((["", "x"],), ",x"),
    ((["hello", "world"],), "hello,world"),
    ((["one", "two", "three"],), "one,two,three"),
    ((["B", "a"],), "B,a"),
    ((["zz", "z", "zzz"],), "zz,z,zzz"),
    ((["up", "down", "up"],), "up,down,up"),
    ((["same", "same"],), "same,same"),
    ((["Q"],), "Q"),
]
