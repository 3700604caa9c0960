"""Disks after a loss of power, from the journal of what a program did to its files (tests/faults/journal.c): the k-th
change is the last that happened. What was not synced may be there, be missing or be there in part; names that were made
or changed since their folder was synced as well, in any order."""

import itertools
import os
from pathlib import Path

MOST_SUBSETS = 4  # of so many pending changes of names, each subset; of more, the first ones and each alone
CONTENTS = ["synced", "all", "half", "zeros"]


def common(a, b):
    """The length of what two strings of bytes begin with alike."""
    if a.startswith(b):
        return len(b)
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


class File:
    def __init__(self, data=b"", durable=b""):
        self.data, self.durable = bytearray(data), bytes(durable)

    def content(self, how):
        """None of what was not synced, all of it, the first half of it, or zeros in its place."""
        data = bytes(self.data)
        kept = common(data, self.durable)
        if how == "synced":
            return self.durable
        if how == "half":
            return data[: kept + (len(data) - kept) // 2]
        return data if how == "all" else data[:kept] + bytes(len(data) - kept)


def records(journal):
    """The journal, as tuples of words; a write has its bytes as the last."""
    text, at = Path(journal).read_bytes(), 0
    while at < len(text):
        end = text.index(b"\n", at)
        words = text[at:end].decode().split(" ", 3 if text.startswith(b"write", at) else 1 if text[at:at + 1] in
                                            b"rum" else 2)
        at = end + 1
        if words[0] == "write":
            size = int(words[3])
            words[3] = text[at : at + size]
            at += size
        yield words


def number(path):
    return str(os.stat(path).st_ino)


class Disk:
    """The folder `root` as it was before, all of it synced, and then as `apply` changes it."""

    def __init__(self, root):
        self.root = str(root)
        self.names, self.folders, self.by_number = {}, {self.root}, {}
        for folder, folders, files in os.walk(root):
            self.folders.update(os.path.join(folder, f) for f in folders)
            for name in files:
                path = os.path.join(folder, name)
                data = Path(path).read_bytes()
                self.names[path] = self.by_number[number(path)] = File(data, data)
        self.durable, self.durable_folders = dict(self.names), set(self.folders)
        self.pending = []  # changes of names: (folder, path that goes or None, path that comes or None, file or None)

    def inside(self, path):
        return path.startswith(self.root + "/")

    def apply(self, words, folder_of):
        """folder_of: the paths of folders by their numbers."""
        kind = words[0]
        if kind == "create" and self.inside(words[2]):
            file = self.names[words[2]] = self.by_number[words[1]] = File()
            self.pending.append((os.path.dirname(words[2]), None, words[2], file))
        elif kind == "write" and words[1] in self.by_number:
            data, offset = self.by_number[words[1]].data, int(words[2])
            data.extend(bytes(max(0, offset - len(data))))
            data[offset : offset + len(words[3])] = words[3]
        elif kind == "cut" and words[1] in self.by_number:
            data, size = self.by_number[words[1]].data, int(words[2])
            data.extend(bytes(max(0, size - len(data))))
            del data[size:]
        elif kind == "sync" and words[1] in self.by_number:
            file = self.by_number[words[1]]
            file.durable = bytes(file.data)
        elif kind == "sync" and words[1] in folder_of:
            folder = folder_of[words[1]]
            for change in [p for p in self.pending if p[0] == folder]:
                self.change(self.durable, self.durable_folders, change)
                self.pending.remove(change)
        elif kind == "rename":
            before, after = words[1].split("\t")
            if self.inside(after):
                file = self.names.pop(before)
                self.names[after] = file
                self.pending.append((os.path.dirname(after), before, after, file))
        elif kind == "unlink" and self.inside(words[1]):
            self.names.pop(words[1], None)
            self.pending.append((os.path.dirname(words[1]), words[1], None, None))
        elif kind == "mkdir" and self.inside(words[1]):
            self.folders.add(words[1])
            self.pending.append((os.path.dirname(words[1]), None, words[1], None))

    @staticmethod
    def change(names, folders, change):
        _, goes, comes, file = change
        if goes:
            names.pop(goes, None)
        if comes and file:
            names[comes] = file
        elif comes:
            folders.add(comes)

    def states(self):
        """All that the disk may be now: {path: bytes} with None for a folder, each once."""
        pending, seen = self.pending, set()
        subsets = [pending[:n] for n in range(len(pending) + 1)]
        if len(pending) <= MOST_SUBSETS:
            subsets = [s for n in range(len(pending) + 1) for s in itertools.combinations(pending, n)]
        else:
            subsets += [[p] for p in pending] + [pending[:i] + pending[i + 1 :] for i in range(len(pending))]
        for subset in subsets:
            names, folders = dict(self.durable), set(self.durable_folders)
            for change in subset:
                self.change(names, folders, change)
            for how in CONTENTS:
                state = {f: None for f in folders if f != self.root}
                for path, file in names.items():
                    if os.path.dirname(path) in folders:  # else its folder is lost, and all in it
                        state[path] = file.content(how)
                key = frozenset((p, hash(c)) for p, c in state.items())
                if key not in seen:
                    seen.add(key)
                    yield state


def put(state, root, at):
    """Makes the files of a state of the folder `root` in the folder `at`."""
    for path in sorted(state):
        place = Path(at, os.path.relpath(path, root))
        if state[path] is None:
            place.mkdir(parents=True)
        else:
            place.write_bytes(state[path])
