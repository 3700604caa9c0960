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


def storage(key="0", count=number(108), kind="torch.FloatStorage", word="storage", more=b""):
    return (OP["MARK"] + text(word) + name(*kind.split(".")) + text(key) + text("cpu") + count + more + OP["TUPLE"]
            + OP["BINPERSID"])


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
    "many": (OP["EMPTY_DICT"] + OP["MARK"] + text("a") + tensor() + OP["MEMOIZE"] + (text("b") + OP["BINGET"] + b"\0") * 16384
             + OP["SETITEMS"] + OP["STOP"], "more than 16384 tensors"),
    "cut_protocol": (OP["PROTO"], "ends inside a number"),
    "cut_frame": (OP["FRAME"] + bytes(7), "ends inside a number"),
    "cut_integer": (OP["BININT"] + bytes(3), "ends inside a number"),
    "cut_float": (OP["BINFLOAT"] + bytes(7), "ends inside a number"),
    "cut_memo": (OP["NONE"] + OP["BINPUT"], "ends inside a number"),
    "cut_long_memo": (OP["NONE"] + OP["LONG_BINPUT"] + bytes(3), "ends inside a number"),
    "cut_recall": (OP["BINGET"], "ends inside a number"),
    "cut_size": (OP["BINUNICODE"] + bytes(3), "ends inside a text"),
    "cut_module": (OP["GLOBAL"] + b"torch", "ends inside a global name"),
    "cut_name": (OP["GLOBAL"] + b"torch\nSize", "ends inside a global name"),
    "copy_nothing": (OP["DUP"] + OP["STOP"], "takes what is not there"),
    "drop_nothing": (OP["POP"] + OP["STOP"], "takes what is not there"),
    "drop_no_mark": (OP["NONE"] + OP["POP_MARK"] + OP["STOP"], "takes what is not there"),
    "tuple_of_nothing": (OP["NONE"] + OP["TUPLE2"] + OP["STOP"], "takes what is not there"),
    "add_no_mark": (OP["EMPTY_LIST"] + OP["APPENDS"] + OP["STOP"], "takes what is not there"),
    "add_to_dict": (OP["EMPTY_DICT"] + OP["NONE"] + OP["APPEND"] + OP["STOP"], "takes no items"),
    "add_to_nothing": (OP["NONE"] + OP["APPEND"] + OP["STOP"], "takes no items"),
    "keys": (OP["MARK"] + OP["NONE"] + OP["DICT"] + OP["STOP"], "a key without a value"),
    "remember_nothing": (OP["BINPUT"] + b"\0" + OP["STOP"], "remembers what is not there"),
    "ask_number": (text("torch") + number(1) + OP["STACK_GLOBAL"] + OP["STOP"], "asks for a name that is no text"),
    "ask_of_number": (number(1) + text("Size") + OP["STACK_GLOBAL"] + OP["STOP"], "asks for a name that is no text"),
    "ask_one": (text("Size") + OP["STACK_GLOBAL"] + OP["STOP"], "asks for a name that is no text"),
    "ask_nothing": (OP["STACK_GLOBAL"] + OP["STOP"], "asks for a name that is no text"),
    "call_kind": (name("torch", "FloatStorage") + RUN, "calls what is no function"),
    "call_list": (name("torch", "Size") + OP["EMPTY_LIST"] + OP["REDUCE"] + OP["STOP"], "calls what is no function"),
    "parameter": (name("torch._utils", "_rebuild_parameter") + RUN, "a parameter of nothing"),
    "type_of_text": (name("torch._tensor", "_rebuild_from_type_v2") + OP["MARK"] + text("a") * 3 + OP["TUPLE"] + OP["REDUCE"]
                     + OP["STOP"], "calls what is no function"),
    "pairs": (name("collections", "OrderedDict") + OP["EMPTY_LIST"] + text("ab") + OP["APPEND"] + OP["TUPLE1"] + OP["REDUCE"]
              + OP["STOP"], "of what are no pairs"),
    "triples": (name("collections", "OrderedDict") + OP["EMPTY_LIST"] + text("a") * 3 + OP["TUPLE3"] + OP["APPEND"] + OP["TUPLE1"]
                + OP["REDUCE"] + OP["STOP"], "of what are no pairs"),
    "build_nothing": (OP["EMPTY_DICT"] + OP["BUILD"] + OP["STOP"], "sets the state"),
    "few_arguments": (state(name("torch._utils", "_rebuild_tensor_v2") + storage() + number(0) + OP["TUPLE2"] + OP["REDUCE"]),
                      "something else than storage"),
    "persistent_text": (text("0") + OP["BINPERSID"] + OP["STOP"], "refers to no storage"),
    "persistent_nothing": (OP["BINPERSID"] + OP["STOP"], "refers to no storage"),
    "persistent_word": (state(tensor(storage(word="storago"))), "refers to no storage"),
    "persistent_class": (state(tensor(storage(kind="torch.Size"))), "refers to no storage"),
    "view": (state(tensor(storage(more=number(1)))), "views of others"),
    "shape_of_text": (state(tensor().replace(numbers(4, 3, 3, 3), OP["MARK"] + text("a") * 4 + OP["TUPLE"])), "is malformed"),
    "negative_stride": (state(tensor(stride=(27, 9, 3, -1))), "is malformed"),
    "two_networks": (OP["EMPTY_DICT"] + (text("one") + state(tensor())[:-1] + OP["SETITEM"]) + text("two") + state(tensor())[:-1]
                     + OP["SETITEM"] + OP["STOP"], "several dictionaries of tensors (one, two)"),
}


def unusual():
    """Instructions and calls that PyTorch's writers have used at some time, or Python's other picklers use."""
    def counted(op, size, word):
        return OP[op] + struct.pack(size, len(word)) + word

    def long(value):
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return OP["LONG1"] + bytes([len(raw)]) + raw

    def rebuild(function, more=b""):
        return (name("torch._utils", function) + OP["MARK"] + OP["BINGET"] + b"\x07" + long(1) + numbers(2, 2) + numbers(1, 2)
                + more + OP["TUPLE"] + OP["REDUCE"])

    held = OP["BINFLOAT"] + bytes(8) + OP["POP"] + OP["NONE"] + OP["DUP"] + OP["POP"] + OP["POP"]
    held += OP["MARK"] + number(-5) + long(-300) + long(0) + OP["LONG1"] + b"\0" + OP["LONG1"] + b"\x09" + bytes(9) + OP["POP_MARK"]
    held += counted("SHORT_BINBYTES", "<B", b"raw") + counted("BINBYTES", "<I", b"raw") + OP["TUPLE2"] + OP["POP"]
    held += storage(count=long(12), more=OP["NONE"]) + OP["LONG_BINPUT"] + struct.pack("<I", 7) + OP["POP"]
    plain = rebuild("_rebuild_tensor")
    parameter = (name("torch._utils", "_rebuild_parameter") + plain + OP["NEWTRUE"] + name("collections", "OrderedDict")
                 + OP["EMPTY_TUPLE"] + OP["REDUCE"] + OP["TUPLE3"] + OP["REDUCE"])
    typed = (name("torch._tensor", "_rebuild_from_type_v2") + OP["MARK"] + name("torch._utils", "_rebuild_tensor_v2")
             + name("torch.nn.parameter", "Parameter") + OP["MARK"] + OP["LONG_BINGET"] + struct.pack("<I", 7) + OP["BININT1"] + b"\1"
             + name("torch", "Size") + numbers(2, 2) + OP["TUPLE1"] + OP["REDUCE"] + numbers(1, 2) + OP["TUPLE"] + OP["EMPTY_DICT"]
             + OP["TUPLE"] + OP["REDUCE"] + OP["EMPTY_DICT"] + OP["BUILD"])
    eight = rebuild("_rebuild_tensor_v3", OP["NEWFALSE"] + OP["EMPTY_DICT"] + name("torch", "float8_e5m2"))
    pairs = [(counted("SHORT_BINSTRING", "<B", b"plain"), plain), (counted("BINSTRING", "<I", b"parameter"), parameter),
             (counted("SHORT_BINUNICODE", "<B", b"typed"), typed), (counted("BINUNICODE8", "<Q", b"eight\x1b"), eight),
             (text("epoch"), counted("SHORT_BINUNICODE", "<B", b"x"))]
    made = OP["MARK"]
    for i, (key, value) in enumerate(pairs):
        made += OP["MARK"] + key + value + OP["LIST" if i % 2 else "TUPLE"]
    made += OP["LIST"]
    return (OP["FRAME"] + struct.pack("<Q", 1) + held + name("collections", "OrderedDict") + made + OP["TUPLE1"] + OP["REDUCE"]
            + OP["MARK"] + OP["NONE"] + number(3) + OP["DICT"] + OP["BUILD"] + OP["STOP"])


def archive(path, pickle, data=bytes(432), how=zipfile.ZIP_STORED, root="archive/", **beside):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for part, content in beside.items():
            file.writestr(root + part.replace("_", "."), content)
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
    archive(at("big", "big-endian"), state(tensor()), byteorder="big")
    for i, content in enumerate(("[]", "{\"arch\": 1}", "{\"arch\": \"vgg16\"", "{\"a\": \"b\", \"c\": null}")):
        archive(at(f"meta{i}", "no object of texts"), state(tensor()), vgg16_json=content)
    archive(at("long_meta", "more than any honest file"), state(tensor()), vgg16_json=" " * (1 << 20) + "{}")
    archive(at("encrypted", "is encrypted"), state(tensor()))
    damage(at("encrypted"), b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    archive(os.path.join(folder, "unusual.pth"), unusual(), struct.pack("<12f", *(3 * i * i + 1 for i in range(12))))
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
    with open(at("old_table", "does not list its storages"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_DICT"] + OP["STOP"])
    with open(at("old_number", "a storage that no tensor has"), "wb") as file:
        file.write(magic + state(tensor()) + OP["EMPTY_LIST"] + number(0) + OP["APPEND"] + OP["STOP"] + bytes(440))
    with open(os.path.join(folder, "hostile.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{key}\t{words}\n" for key, words in expected.items())
