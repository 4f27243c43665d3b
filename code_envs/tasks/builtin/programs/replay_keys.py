"""Replay a list of key presses and return the resulting text. 'BACK' deletes the last character
if there is one, 'UNDO' takes back the latest press that changed the text and was not yet taken
back (nothing happens if there is none), and any other key is a string that is typed at the
end."""


def replay_keys(keys):
    text = ""
    history = []
    for key in keys:
        if key == "UNDO":
            if history:
                text = history.pop()
        elif key == "BACK":
            if text:
                history.append(text)
                text = text[:-1]
        else:
            history.append(text)
            text += key
    return text


TESTS = [
    (([],), ""),
    ((["a"],), "a"),
    ((["a", "b", "c"],), "abc"),
    ((["BACK"],), ""),
    ((["a", "BACK"],), ""),
    ((["a", "b", "BACK"],), "a"),
    ((["UNDO", "x"],), "x"),
    ((["a", "UNDO"],), ""),
    ((["a", "b", "BACK", "UNDO"],), "ab"),
    ((["a", "b", "UNDO", "UNDO", "UNDO"],), ""),
    ((["a", "BACK", "BACK", "UNDO"],), "a"),
    ((["hello", "BACK", "p", "UNDO", "o!"],), "hello!"),
    ((["a", "b", "c", "UNDO", "BACK", "UNDO", "UNDO"],), "a"),
]
