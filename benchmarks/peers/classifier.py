#!/usr/bin/python3
"""Trains a small classifier on extracted features with PyTorch, for comparison with `vgg16 train` on the same files.

usage: classifier.py TRAIN.safetensors VALIDATION.safetensors [--pool] [--epochs N] [--lr X] [--batch N] [--seed N]

The files are what `vgg16 extract --output F.safetensors` writes: x (N, ...) fp32 and y (N) int64. The classifier and its
settings are those of chapter 5.3 of Deep Learning with Python: dense 256 ReLU, dropout 0.5, one sigmoid unit, RMSprop with
Keras' constants, binary cross-entropy. --pool averages over height and width first. Prints the validation accuracy of
each epoch and of the last."""
import argparse
import json
import struct

import numpy as np
import torch


def read(path):
    with open(path, "rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    arrays = {}
    for name, dtype in (("x", "<f4"), ("y", "<i8")):
        begin, end = header[name]["data_offsets"]
        arrays[name] = np.frombuffer(data[begin:end], dtype=dtype).reshape(header[name]["shape"])
    return arrays["x"], arrays["y"]


def glorot(linear):
    torch.nn.init.xavier_uniform_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    return linear


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("validation")
    parser.add_argument("--pool", action="store_true")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--lr", type=float, default=2e-5)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)

    def prepare(path):
        x, y = read(path)
        if args.pool and x.ndim == 4:
            x = x.mean(axis=(1, 2))
        return torch.tensor(x.reshape(len(x), -1).copy()), torch.tensor(y.astype(np.float32))

    x, y = prepare(args.train)
    vx, vy = prepare(args.validation)
    net = torch.nn.Sequential(glorot(torch.nn.Linear(x.shape[1], 256)), torch.nn.ReLU(), torch.nn.Dropout(0.5),
                              glorot(torch.nn.Linear(256, 1)))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=args.lr, alpha=0.9, eps=1e-7)
    loss_of = torch.nn.BCEWithLogitsLoss()
    for epoch in range(args.epochs):
        net.train()
        order = torch.randperm(len(x))
        for begin in range(0, len(x), args.batch):
            index = order[begin:begin + args.batch]
            optimizer.zero_grad()
            loss_of(net(x[index])[:, 0], y[index]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            logits = net(vx)[:, 0]
            accuracy = ((logits > 0) == (vy > 0.5)).float().mean().item()
            print(f"epoch {epoch + 1} val_loss {loss_of(logits, vy).item():.4f} val_accuracy {accuracy:.4f}", flush=True)
    print(json.dumps({"val_accuracy": accuracy, "seed": args.seed}))


if __name__ == "__main__":
    main()
