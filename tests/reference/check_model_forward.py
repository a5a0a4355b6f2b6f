#!/usr/bin/env python3
"""Checks `py4cast model forward` against a network of mfai with random weights: outputs and
gradients, train and eval mode.

    check_model_forward.py [--network halfunet|unet|segformer] [--program build/py4cast]
                           [--precision fp32] [--device cpu] [--only TEXT]
    check_model_forward.py --self-test      PyTorch in float32 stands in for the program

The truth is mfai in float64. An error is the largest difference divided by the largest element of
the tensor; it must stay within the tolerance, or 4 times PyTorch's own error in the same precision
if that is more. Seeds are chosen such that no ReLU or maximum sits on its kink (a line says KINK if
none of 30 was). Prints one line per case; exit code 1 if one fails.
"""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
from copy import deepcopy

import torch
from networks import forward, make_network
from safetensors.torch import load_file, save_file

ACTIVATIONS = (
    "Identity",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "SELU",
    "GELU",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Hardtanh",
    "ReLU6",
)
# Of outputs and of gradients.
TOLERANCES = {"fp32": (2e-5, 2e-4), "bf16": (3e-2, 1e-1)}


def half_unet_cases():
    """(settings, batch, height, width, inputs, outputs)"""
    sizes = itertools.cycle(
        [
            (2, 32, 48, 7, 1),
            (1, 32, 64, 3, 2),
            (3, 32, 16, 1, 5),
            (1, 80, 16, 19, 4),
            (2, 16, 32, 67, 21),
            (1, 16, 112, 5, 3),
            (2, 16, 16, 2, 1),
        ]
    )
    for ghost, bias, positions in itertools.product((False, True), repeat=3):
        yield (
            {"num_filters": 16, "use_ghost": ghost, "bias": bias, "absolute_pos_embed": positions},
            *next(sizes),
        )
    for i, activation in enumerate(ACTIVATIONS):
        settings = {
            "num_filters": (6, 10, 24)[i % 3],
            "use_ghost": i % 2 == 1,
            "bias": i % 3 != 1,
            "dilation": 1 + i % 3,
        }
        yield settings | {"last_activation": activation}, *next(sizes)
    yield {"num_filters": 128, "use_ghost": True}, 1, 32, 16, 21, 5
    yield {"num_filters": 32, "bias": True, "absolute_pos_embed": True}, 2, 32, 48, 11, 3
    yield {"num_filters": 5, "bias": True}, 1, 32, 32, 1, 1
    yield {}, 1, 32, 48, 67, 21


SIZES = ((2, 64, 64, 19, 5), (1, 128, 192, 12, 3), (1, 512, 512, 67, 21))
SMALL_SEGFORMER = {
    "dims": [16, 24, 40, 64],
    "heads": [1, 2, 5, 4],
    "ff_expansion": 3,
    "reduction_ratio": [4, 2, 2, 1],
    "decoder_dim": 32,
    "num_downsampling_chans": 8,
}


def cases(network):
    if network == "halfunet":
        yield from half_unet_cases()
        return
    small = {"unet": {"init_features": 10}, "segformer": SMALL_SEGFORMER}
    for settings in ({}, small[network]):
        for size in SIZES:
            yield settings, *size


def make(name, settings, shape, inputs, outputs, seed):
    """mfai's network as its constructor makes it, with the normalisations moved away from their
    trivial start."""
    torch.manual_seed(seed)
    network = make_network(name, settings, inputs, outputs, shape)
    network.name = name
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.3, 2)
                module.num_batches_tracked.fill_(seed)
    return network


def evaluate(network, x, train, dtype, autocast=False):
    """Output [batch, height, width, features] and {name: gradient of mean(y^2)}, on a copy of the
    network."""
    copy = deepcopy(network).to(dtype).train(train)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = forward(copy.name, copy, x.to(dtype))
    (y.to(dtype) ** 2).mean().backward()
    return y.detach(), {name: parameter.grad for name, parameter in copy.named_parameters()}


def error(value, truth):
    return ((value.double() - truth).abs().max() / truth.abs().max().clamp_min(1e-30)).item()


def gradient_error(gradients, truth):
    """Largest over the parameters, and its name; a tensor far smaller than the others is held
    against a hundredth of the largest."""
    largest = max(value.abs().max().item() for value in truth.values())
    errors = {
        name: (
            (gradients[name].double() - value).abs().max()
            / value.abs().max().clamp_min(0.01 * largest)
        ).item()
        for name, value in truth.items()
    }
    return max((error, name) for name, error in errors.items())


def without_kinks(name, settings, batch, height, width, inputs, outputs, train):
    """(jump, network, x, truth): the first of 30 seeds (of 3 on large grids) whose gradients move
    little in float32 and with the input; else the best."""
    best, limit = None, 1e-4
    for seed in range(30 if height * width <= 64 * 64 else 3):
        network = make(name, settings, (height, width), inputs, outputs, seed)
        x = torch.randn(batch, height, width, inputs)
        truth = evaluate(network, x, train, torch.float64)
        jump = gradient_error(evaluate(network, x, train, torch.float32)[1], truth[1])[0]
        for _ in range(2):
            if jump < limit:
                moved = x.double() * (1 + 2e-6 * torch.randn(x.shape, dtype=torch.float64))
                jump = max(
                    jump,
                    gradient_error(evaluate(network, moved, train, torch.float64)[1], truth[1])[0],
                )
        if best is None or jump < best[0]:
            best = (jump, network, x, truth)
        if jump < limit:
            break
    return best


class Door:
    """The program under test, or PyTorch in its place, behind the same files."""

    def __init__(self, options, folder):
        self.options, self.folder = options, pathlib.Path(folder)

    def write(self, settings, weights, x, outputs):
        self.outputs = outputs
        (self.folder / "settings.json").write_text(json.dumps(settings))
        save_file(
            {name: value.detach().clone() for name, value in weights.items()},
            self.folder / "weights.safetensors",
        )
        save_file({"x": x.contiguous()}, self.folder / "x.safetensors")
        for name in ("y", "gradients"):
            (self.folder / f"{name}.safetensors").unlink(missing_ok=True)

    def run(self, train):
        """Exit status and message."""

        def path(name):
            return str(self.folder / name)

        if self.options.self_test:
            return self.stand_in(train)
        command = [
            self.options.program,
            "model",
            "forward",
            "--model",
            self.options.network,
            "--outputs",
            str(self.outputs),
            "--settings",
            path("settings.json"),
            "--weights",
            path("weights.safetensors"),
            "--input",
            path("x.safetensors"),
            "--output",
            path("y.safetensors"),
            "--gradients",
            path("gradients.safetensors"),
            "--precision",
            self.options.precision,
            "--device",
            self.options.device,
        ] + ["--train"] * train
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, (done.stderr + done.stdout).strip()

    def stand_in(self, train):
        settings = json.loads((self.folder / "settings.json").read_text())
        weights, x = (
            load_file(self.folder / "weights.safetensors"),
            load_file(self.folder / "x.safetensors")["x"],
        )
        name = self.options.network
        network = make(name, settings, tuple(x.shape[1:3]), x.shape[-1], self.outputs, 0)
        try:
            network.load_state_dict(weights)
        except RuntimeError as problem:
            return 1, str(problem)
        y, gradients = evaluate(
            network.to(memory_format=torch.channels_last), x, train, torch.float32
        )
        save_file({"y": y.contiguous()}, self.folder / "y.safetensors")
        save_file(
            {name: value.contiguous() for name, value in gradients.items()},
            self.folder / "gradients.safetensors",
        )
        return 0, ""

    def results(self):
        return load_file(self.folder / "y.safetensors")["y"], load_file(
            self.folder / "gradients.safetensors"
        )


def check(door, case, train, spoil=False):
    """(good, text) of one case; spoil changes one weight behind the door, so that the check must
    fail."""
    settings, *size = case
    name = door.options.network
    jump, network, x, (truth, true_gradients) = without_kinks(name, settings, *size, train)
    weights = network.state_dict()
    if spoil:
        name = list(true_gradients)[-1]
        weights = weights | {name: weights[name] * 1.001}
    door.write(settings, weights, x, size[-1])
    status, message = door.run(train)
    label = f"{'train' if train else 'eval ':5} {'x'.join(map(str, size)):14}"
    if status:
        return False, f"{label} exit code {status}: {message.splitlines()[-1] if message else ''}"
    y, gradients = door.results()
    if y.shape != truth.shape or set(gradients) != set(true_gradients):
        return (
            False,
            f"{label} y is {list(y.shape)}, not {list(truth.shape)}, or other gradient names: "
            f"{set(gradients) ^ set(true_gradients)}",
        )
    wrong = [name for name, value in true_gradients.items() if gradients[name].shape != value.shape]
    if wrong:
        return False, f"{label} shapes differ: {wrong}"
    precision = door.options.precision
    peer_y, peer_gradients = evaluate(network, x, train, torch.float32, precision == "bf16")
    forward, peer_forward = error(y, truth), error(peer_y, truth)
    (backward, worst), (peer_backward, _) = (
        gradient_error(gradients, true_gradients),
        gradient_error(peer_gradients, true_gradients),
    )
    limits = TOLERANCES[precision]
    good = forward <= max(limits[0], 4 * peer_forward) and backward <= max(
        limits[1], 4 * peer_backward, 4 * jump
    )
    kink = " KINK" if jump > 1e-3 else ""
    return (
        good,
        f"{label} {forward:9.1e} {peer_forward:9.1e} {backward:9.1e} {peer_backward:9.1e}"
        f"{kink} {worst}",
    )


def check_refusals(door):
    """Weights of another network must be refused in words that name the tensor."""
    network = make("halfunet", {"num_filters": 8}, (32, 32), 3, 2, 0)
    x, name = torch.randn(1, 32, 32, 3), "encoder2.enc2conv1.weight"
    state = network.state_dict()
    variants = {
        "missing": {key: value for key, value in state.items() if key != name},
        "extra": state | {"encoder9.enc2conv1.weight": state[name]},
        "reshaped": state | {name: state[name][:, :4]},
    }
    good = True
    for kind, weights in variants.items():
        door.write({"num_filters": 8}, weights, x, 2)
        status, message = door.run(False)
        named = ("encoder9.enc2conv1.weight" if kind == "extra" else name) in message
        good &= status != 0 and named
        print(
            f"{'ok  ' if status and named else 'FAIL'} refusal of {kind} weights: "
            f"exit code {status}: {message[:150]!r}"
        )
    return good


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--network", default="halfunet", choices=("halfunet", "unet", "segformer")
    )
    parser.add_argument("--program", default="build/py4cast")
    parser.add_argument("--precision", default="fp32", choices=TOLERANCES)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="", help="cases whose settings contain this text")
    parser.add_argument("--every", type=int, default=1, help="only each n-th case")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    failed = passed = 0
    print(
        f"{'':4} mode  {'b x h x w x in x out':20} forward     torch  gradient     torch "
        "worst gradient, settings"
    )
    with tempfile.TemporaryDirectory() as folder:
        door = Door(options, folder)
        for case in itertools.islice(cases(options.network), 0, None, options.every):
            if options.only not in json.dumps(case[0]):
                continue
            if failed > 3 and not passed:
                print("nothing passes: given up")
                break
            for train in (False, True):
                if train and case[1] * case[2] * case[3] <= 256:
                    continue  # one value per channel at the coarsest level has no variance
                good, text = check(door, case, train)
                print(f"{'ok  ' if good else 'FAIL'} {text} {json.dumps(case[0])}", flush=True)
                failed, passed = failed + (not good), passed + good
        good = options.network != "halfunet" or check_refusals(door)
        if options.self_test and options.network == "halfunet":
            spoiled, text = check(
                door, ({"num_filters": 16, "bias": True}, 1, 32, 32, 3, 2), True, spoil=True
            )
            print(f"{'FAIL' if spoiled else 'ok  '} a changed weight is noticed: {text}")
            good &= not spoiled
        failed, passed = failed + (not good), passed + good
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
