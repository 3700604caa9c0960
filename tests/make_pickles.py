"""Writes files that look like PyTorch's and would run code, or take all memory or time, if they were unpickled: as
hostile_NAME.pth, with the words that their refusal must hold in hostile.txt ("NAME<tab>words" a line).

Each is made of pickle instructions as CPython's pickletools names them. Needs nothing but Python."""
import os
import pickletools
import struct
import zipfile

OP = {op.name: op.code.encode("latin-1") for op in pickletools.opcodes}


def text(word):
    return OP["BINUNICODE"] + struct.pack("<I", len(word)) + word.encode()


def name(module, attribute):
    return OP["GLOBAL"] + f"{module}\n{attribute}\n".encode()


def number(value):
    return OP["BININT"] + struct.pack("<i", value)


def numbers(*values):
    return OP["MARK"] + b"".join(number(v) for v in values) + OP["TUPLE"]


def storage(key="0", count=108, kind="FloatStorage"):
    return OP["MARK"] + text("storage") + name("torch", kind) + text(key) + text("cpu") + number(count) + OP["TUPLE"] + OP["BINPERSID"]


def tensor(stored=None, offset=0, shape=(4, 3, 3, 3), stride=(27, 9, 3, 1)):
    return (name("torch._utils", "_rebuild_tensor_v2") + OP["MARK"] + (stored or storage()) + number(offset) + numbers(*shape)
            + numbers(*stride) + OP["NEWFALSE"] + name("collections", "OrderedDict") + OP["EMPTY_TUPLE"] + OP["REDUCE"]
            + OP["TUPLE"] + OP["REDUCE"])


def state(value):
    return OP["EMPTY_DICT"] + text("features.0.weight") + value + OP["SETITEM"] + OP["STOP"]


def deep(op, count):
    return OP["EMPTY_LIST"] + op * count + OP["STOP"]


def laughs(levels):
    """Each dictionary holds the one before twice: 2**levels when it is walked as a tree."""
    body = OP["EMPTY_DICT"] + OP["MEMOIZE"]
    for level in range(levels):
        body += OP["POP"] + OP["EMPTY_DICT"] + OP["MEMOIZE"]
        for key in "ab":
            body += text(key) + OP["BINGET"] + bytes([level]) + OP["SETITEM"]
    return body + OP["STOP"]


RUN = OP["EMPTY_TUPLE"] + OP["REDUCE"] + OP["STOP"]
PICKLES = {
    "system": (name("posix", "system") + text("true") + OP["TUPLE1"] + OP["REDUCE"] + OP["STOP"], "posix.system"),
    "eval": (text("builtins") + text("eval") + OP["STACK_GLOBAL"] + text("1") + OP["TUPLE1"] + OP["REDUCE"] + OP["STOP"], "builtins.eval"),
    "getattr": (state(name("builtins", "getattr") + RUN[:-1]), "builtins.getattr"),
    "control": (name("os\x1b[2J", "system\x07") + RUN, "os?[2J.system?"),
    "long_name": (name("a" * 5000, "b") + RUN, "aaa..."),
    "inst": (OP["MARK"] + OP["INST"] + b"os\nsystem\n" + OP["STOP"], "instruction 0x69"),
    "obj": (OP["MARK"] + name("torch", "Tensor") + OP["OBJ"] + OP["STOP"], "instruction 0x6f"),
    "newobj": (name("torch", "Tensor") + OP["EMPTY_TUPLE"] + OP["NEWOBJ"] + OP["STOP"], "instruction 0x81"),
    "extension": (OP["EXT1"] + b"\x01" + OP["STOP"], "instruction 0x82"),
    "call_type": (name("torch", "Tensor") + RUN, "calls what is no function"),
    "call_dict": (OP["EMPTY_DICT"] + RUN, "calls what is no function"),
    "call_itself": (name("torch._tensor", "_rebuild_from_type_v2") + OP["MEMOIZE"] + OP["MARK"] + OP["BINGET"] + b"\0" + OP["NONE"]
                    + OP["EMPTY_TUPLE"] + OP["TUPLE"] + OP["REDUCE"] + OP["STOP"], "a tensor of too little"),
    "call_nothing": (OP["REDUCE"] + OP["STOP"], "calls what is no function"),
    "build": (number(1) + OP["EMPTY_DICT"] + OP["BUILD"] + OP["STOP"], "sets the state"),
    "no_stop": (OP["EMPTY_DICT"], "ends before its last instruction"),
    "empty": (b"", "ends before its last instruction"),
    "two_objects": (OP["NONE"] * 2 + OP["STOP"], "more than one object"),
    "no_object": (OP["STOP"], "more than one object"),
    "open_mark": (OP["NONE"] + OP["MARK"] + OP["STOP"], "more than one object"),
    "below_mark": (OP["NONE"] + OP["MARK"] + OP["POP"] + OP["STOP"], "takes what is not there"),
    "no_mark": (OP["NONE"] + OP["TUPLE"] + OP["STOP"], "takes what is not there"),
    "add_to_number": (number(1) + OP["NONE"] + OP["APPEND"] + OP["STOP"], "takes no items"),
    "odd_items": (OP["EMPTY_DICT"] + OP["MARK"] + OP["NONE"] + OP["SETITEMS"] + OP["STOP"], "takes no items"),
    "memo": (OP["NONE"] + OP["LONG_BINPUT"] + b"\xff" * 4 + OP["STOP"], "number that is too large"),
    "recall": (OP["LONG_BINGET"] + struct.pack("<I", 70000) + OP["STOP"], "never remembered"),
    "frame": (OP["FRAME"] + b"\xff" * 8 + OP["NONE"] + OP["STOP"], "frame beyond its end"),
    "text": (OP["BINUNICODE8"] + b"\xff" * 8 + b"abc" + OP["STOP"], "ends inside a text"),
    "integer": (OP["LONG1"] + b"\xff" + b"\x01" * 9, "ends inside a number"),
    "protocol": (OP["PROTO"] + b"\x09" + OP["STOP"], "protocol 9"),
    "nodes": (OP["EMPTY_LIST"] + OP["MARK"] + OP["NONE"] * 1500000 + OP["APPENDS"] + OP["STOP"], "more than 1048576 objects"),
    "deep_tuples": (deep(OP["TUPLE1"], 1000000), "no dictionary of tensors"),
    "deep_marks": (OP["MARK"] * 1000000 + OP["STOP"], "more than one object"),
    "itself": (OP["EMPTY_DICT"] + OP["MEMOIZE"] + text("a") + OP["BINGET"] + b"\0" + OP["SETITEM"] + OP["STOP"], "no dictionary of tensors"),
    "itself_often": (OP["EMPTY_DICT"] + OP["MEMOIZE"] + OP["MARK"] + (text("a") + OP["BINGET"] + b"\0") * 300000 + OP["SETITEMS"]
                     + OP["STOP"], "no dictionary of tensors"),
    "laughs": (laughs(100), "no dictionary of tensors"),
    "list": (OP["EMPTY_LIST"] + OP["STOP"], "no dictionary of tensors"),
    "no_storage": (state(tensor(storage("7"))), "storage 7"),
    "up": (state(tensor(storage("../data.pkl"))), "not in the file"),
    "long_key": (state(tensor(storage("k" * 4000))), "not in the file"),
    "fake_storage": (state(tensor(number(3))), "something else than storage"),
    "persistent": (OP["EMPTY_TUPLE"] + OP["BINPERSID"] + OP["STOP"], "refers to no storage"),
    "beyond": (state(tensor(offset=1)), "beyond its storage"),
    "negative": (state(tensor(offset=-1)), "is malformed"),
    "negative_shape": (state(tensor(shape=(4, 3, -3, 3))), "is malformed"),
    "ranks": (state(tensor(shape=(4, 3, 3))), "is malformed"),
    "rank": (state(tensor(shape=(1,) * 9, stride=(1,) * 9)), "more than 8 dimensions"),
    "huge": (state(tensor(shape=(2**31 - 1,) * 8, stride=(2**31 - 1,) * 8)), "beyond its storage"),
    "repeated": (state(tensor(shape=(2**31 - 1,) * 4, stride=(0,) * 4)), "repeats values"),
    "shape_is_tensor": (state(name("torch._utils", "_rebuild_tensor_v2") + OP["MARK"] + storage() + number(0) + tensor() + numbers(1)
                              + OP["TUPLE"] + OP["REDUCE"]), "something else than storage"),
    "name": (OP["EMPTY_DICT"] + text("n" * 600) + tensor() + OP["SETITEM"] + OP["STOP"], "more than 512 characters"),
}


def archive(path, pickle, data=bytes(432), how=zipfile.ZIP_STORED, root="archive/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(root + "data.pkl", OP["PROTO"] + b"\x02" + pickle)
        file.writestr(zipfile.ZipInfo(root + "data/0"), data, how)
        file.writestr(root + "version", "3\n")


def damage(path, old, new):
    with open(path, "rb") as file:
        content = file.read()
    assert old in content
    with open(path, "wb") as file:
        file.write(content.replace(old, new))


def write(folder):
    expected = {key: words for key, (_, words) in PICKLES.items()}

    def at(key, words=None):
        if words:
            expected[key] = words
        return os.path.join(folder, f"hostile_{key}.pth")

    for key, (pickle, _) in PICKLES.items():
        archive(at(key), pickle)
    archive(at("compressed", "is compressed"), state(tensor()), bytes(432), zipfile.ZIP_DEFLATED)
    archive(at("truncated_storage", "beyond its storage"), state(tensor()), bytes(431))
    with zipfile.ZipFile(at("bomb", "more than any honest file"), "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(1 << 27))
    with zipfile.ZipFile(at("crc", "archive/data.pkl of the archive is damaged"), "w") as file:
        file.writestr("archive/data.pkl", state(OP["NONE"]) + b"remember me")
    damage(at("crc"), b"remember me", b"remember ME")
    with zipfile.ZipFile(at("parts", "more than 65536 parts"), "w") as file:
        for i in range(65537):
            file.writestr(f"{i}", b"")
    with zipfile.ZipFile(at("zip", "not one of PyTorch or Keras"), "w") as file:
        file.writestr("readme.txt", b"nothing")
    with zipfile.ZipFile(at("npz", "NumPy"), "w") as file:
        file.writestr("arr_0.npy", b"nothing")
    with zipfile.ZipFile(at("part_name", "more than 1024 characters"), "w") as file:
        file.writestr("n" * 2000, b"")
    archive(at("cut", "no directory at its end"), state(tensor()))
    with open(at("cut"), "r+b") as file:
        file.truncate(700)
    with open(at("old", "posix.system"), "wb") as file:
        magic = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e") + b"\x80\x02M\xe9\x03." + OP["EMPTY_DICT"] + OP["STOP"]
        file.write(magic + PICKLES["system"][0])
    with open(at("old_keys", "a storage that no tensor has"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_LIST"] + text("5") + OP["APPEND"] + OP["STOP"] + bytes(440))
    with open(at("old_short", "is it truncated?"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_LIST"] + text("0") + OP["APPEND"] + OP["STOP"] + struct.pack("<Q", 108) + bytes(431))
    with open(at("old_huge", "is it truncated?"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_LIST"] + text("0") + OP["APPEND"] + OP["STOP"] + b"\xff" * 8 + bytes(431))
    with open(at("old_twice", "lists a storage twice"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_LIST"] + (text("0") + OP["APPEND"]) * 2 + OP["STOP"]
                   + (struct.pack("<Q", 108) + bytes(432)) * 2)
    with open(at("old_unlisted", "not in the file"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_LIST"] + OP["STOP"])
    with open(os.path.join(folder, "hostile.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{key}\t{words}\n" for key, words in expected.items())
