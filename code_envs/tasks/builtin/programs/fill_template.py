"""Replace every {name} in the template with the string stored for that name in values. A name
that is not in values is kept as it stands, braces included. A '{' with no '}' after it is
copied like any other character."""


def fill_template(template, values):
    filled = []
    pos = 0
    while pos < len(template):
        if template[pos] == "{":
            end = template.find("}", pos)
            if end != -1:
                name = template[pos + 1 : end]
                filled.append(values.get(name, template[pos : end + 1]))
                pos = end + 1
                continue
        filled.append(template[pos])
        pos += 1
    return "".join(filled)


TESTS = [
    (("", {}), ""),
    (("plain text", {"plain": "x"}), "plain text"),
    (("{a}", {"a": "1"}), "1"),
    (("{a}{b}", {"a": "1", "b": "2"}), "12"),
    (("Dear {name}!", {"name": "Bo"}), "Dear Bo!"),
    (("{x}", {}), "{x}"),
    (("{x} and {y}", {"y": "why"}), "{x} and why"),
    (("open { end", {"": "z"}), "open { end"),
    (("{}", {"": "empty"}), "empty"),
    (("a}b{c}", {"c": "C"}), "a}bC"),
    (("{a} {", {"a": "{b}", "b": "no"}), "{b} {"),
    (("{{a}", {"a": "1", "{a": "2"}), "2"),
]
