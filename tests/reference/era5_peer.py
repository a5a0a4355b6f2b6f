#!/usr/bin/env python3
"""The equal of py4cast in PyTorch: a network of mfai trained on a month of hourly ERA5 2 m
temperature.

    era5_peer.py FILE [--seeds 1,2,3]
        on its own: random weights and order
    era5_peer.py FILE --weights W.safetensors --order ORDER.jsonl
        from given weights, samples in the given order
    era5_peer.py FILE --compare RUN...
        one peer per run folder, with the run's configuration, from its initial weights, in the
        order of RUN/order.jsonl or of --order, given once per run; exit code 1 unless equal

ORDER has a JSON line per batch: {"epoch": 1, "batch": 1, "samples": ["2019-03-01T05:00:00", ...]},
the times t0 of the last input state. The step: scaled_ar with border forcing, x = [state t0-1,
state t0, x, y, border mask, sin hour, cos hour], autopad; loss = weight / change_std^2 * squared
error, mean over the interior, the steps and the batch; AdamW (betas 0.9 and 0.95, weight decay
0.01), linear warm-up then half a cosine per optimiser step.
"""

import argparse
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from era5_data import LEADS, Data, baselines, table
from networks import cast, forward, is_graph, make_network
from safetensors.torch import load_file, save_file

INPUTS, HEIGHT_WIDTH = 2, (-2, -1)
FIRST = 20


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="netCDF file")
    parser.add_argument("--variable", default="t2m")
    parser.add_argument("--border", type=int, default=4)
    parser.add_argument("--weight", type=float, default=1, help="the state's weight in the loss")
    parser.add_argument("--network", default="halfunet")
    parser.add_argument(
        "--settings",
        type=json.loads,
        default={"num_filters": 32},
        help="of the network, as in a configuration of py4cast (JSON)",
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1, help="prediction steps in training")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--min-lr", type=float, default=0)
    parser.add_argument("--warmup", type=int, default=0, help="optimiser steps")
    parser.add_argument(
        "--fine-tune-epochs",
        type=int,
        default=0,
        help="more epochs of 3 prediction steps, new schedule",
    )
    parser.add_argument("--fine-tune-lr", type=float, default=3e-4)
    parser.add_argument(
        "--seeds", default="1", help="of the random weights and order, one run for each"
    )
    parser.add_argument(
        "--write-graph",
        metavar="FILE",
        help="mfai's graph of a graph network, for model.settings.graph of py4cast",
    )
    parser.add_argument("--weights", help="initial weights (safetensors)")
    parser.add_argument(
        "--order", action="append", default=[], help="JSON lines; with --compare once per run"
    )
    parser.add_argument("--save", help="folder for the initial weights and the order of each seed")
    parser.add_argument("--double", action="store_true", help="float64 arithmetic")
    parser.add_argument("--nchw", action="store_true", help="instead of channels_last")
    parser.add_argument(
        "--max-steps", type=int, default=0, help="stop after so many batches (no scores)"
    )
    parser.add_argument("--cores", default="0,1")
    parser.add_argument("--out", help="write everything to this JSON file")
    parser.add_argument(
        "--results", help="with --compare: an earlier --out file instead of training again"
    )
    parser.add_argument("--compare", nargs="+", default=[], metavar="RUN")
    return parser.parse_args()


class Peer:
    def __init__(self, options, data, seed, weights):
        torch.manual_seed(seed)
        self.options, self.data = options, data
        self.memory = torch.contiguous_format if options.nchw else torch.channels_last
        shape = data.values.shape[1:]
        settings = options.settings
        if not is_graph(options.network):
            settings = settings | {"autopad_enabled": True}
        places = torch.from_numpy(data.statics()[:2].astype(np.float32))
        self.network = make_network(
            options.network, settings, INPUTS + 3 + 2, 1, shape, places, options.write_graph
        )
        dtype = torch.float64 if options.double else torch.float32
        cast(self.network, dtype).to(memory_format=self.memory)
        if weights:
            missing = self.network.load_state_dict(load_file(weights), strict=False)
            parameters = {name for name, _ in self.network.named_parameters()}
            if missing.unexpected_keys or parameters & set(missing.missing_keys):
                raise SystemExit(f"{weights}: {missing}")
        fields = data.standard, data.statics(), data.time_forcings()
        self.standard, self.statics, self.forcings = (
            torch.from_numpy(field.astype(np.float32)).to(dtype) for field in fields
        )
        self.border = self.statics[2]
        self.interior = 1 - self.border
        self.change_mean, self.change_std = float(data.change_mean), float(data.change_std)

    def unroll(self, starts, steps):
        """Standardised predictions [batch, steps, rows, columns] for the windows with the last
        input at starts."""
        t0 = torch.as_tensor(starts)
        older, last = self.standard[t0 - 1], self.standard[t0]
        count, shape = len(t0), last.shape[1:]
        statics = self.statics.expand(count, -1, -1, -1)
        predictions = []
        for step in range(1, steps + 1):
            forcing = self.forcings[t0 + step][:, :, None, None].expand(-1, -1, *shape)
            x = torch.cat([older[:, None], last[:, None], statics, forcing], 1).contiguous(
                memory_format=self.memory
            )
            change = forward(self.options.network, self.network, x.movedim(1, -1))[..., 0]
            new = last + change * self.change_std + self.change_mean
            new = self.border * self.standard[t0 + step] + self.interior * new
            older, last = last, new
            predictions.append(new)
        return torch.stack(predictions, 1)

    def loss(self, starts, steps):
        """[batch, steps]."""
        targets = torch.stack(
            [self.standard[torch.as_tensor(starts) + step] for step in range(1, steps + 1)], 1
        )
        squares = (self.unroll(starts, steps) - targets) ** 2 * (
            self.options.weight / self.change_std**2
        )
        return (squares * self.interior).sum(HEIGHT_WIDTH) / self.interior.sum()

    def train(self, batches, steps, rate):
        """batches: list of epochs, each a list of arrays of t0. Returns the loss of each batch and
        the validation losses."""
        options = self.options
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True
        )
        total, floor = sum(map(len, batches)), options.min_lr / rate

        def factor(step):
            if step < options.warmup:
                return step / max(1, options.warmup)
            progress = (step - options.warmup) / max(1, total - options.warmup)
            return floor + (1 - floor) * 0.5 * (1 + np.cos(np.pi * progress))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        losses, validation, best = [], [], None
        for epoch in batches:
            self.network.train()
            for starts in epoch:
                loss = self.loss(starts, steps).mean()
                optimizer.zero_grad(set_to_none=False)
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                if len(losses) == options.max_steps:
                    return losses, validation, best
            validation.append(self.validate())
            if validation[-1] <= min(validation):
                best = {name: value.clone() for name, value in self.network.state_dict().items()}
        return losses, validation, best

    @torch.no_grad()
    def validate(self):
        """Mean loss of the validation period's windows, as many steps as the scores have lead
        times."""
        self.network.eval()
        starts = self.data.starts(self.data.valid, INPUTS, max(LEADS))
        return float(torch.cat([self.loss(part, max(LEADS)) for part in chunks(starts, 16)]).mean())

    @torch.no_grad()
    def test(self):
        self.network.eval()
        data, starts = self.data, self.data.starts(self.data.test, INPUTS, max(LEADS))
        forecasts = (
            torch.cat([self.unroll(part, max(LEADS)) for part in chunks(starts, 16)])
            .numpy()
            .astype(np.float64)
        )
        forecasts = forecasts * data.std + data.mean
        return {str(lead): data.rmse(forecasts[:, lead - 1], starts, lead) for lead in LEADS}


def chunks(starts, size):
    return [starts[i : i + size] for i in range(0, len(starts), size)]


def random_order(data, epochs, batch, steps, seed):
    generator = np.random.default_rng(seed)
    starts = data.starts(data.train, INPUTS, steps)
    return [chunks(generator.permutation(starts), batch) for _ in range(epochs)]


def read_order(path, data):
    index = {str(time): i for i, time in enumerate(data.times.astype("datetime64[s]"))}
    epochs = {}
    with open(path) as file:
        for line in filter(str.strip, file):
            row = json.loads(line)
            starts = np.array([index[time.removesuffix("Z")] for time in row["samples"]])
            epochs.setdefault(row["epoch"], []).append(starts)
    return list(epochs.values())


def save_order(path, batches, data):
    times = data.times.astype("datetime64[s]")
    with open(path, "w") as file:
        for epoch, parts in enumerate(batches, 1):
            for batch, starts in enumerate(parts, 1):
                file.write(
                    json.dumps(
                        {"epoch": epoch, "batch": batch, "samples": [str(times[i]) for i in starts]}
                    )
                    + "\n"
                )


def run_peer(options, data, seed, weights, order):
    """Trains and tests one network: {losses, validation, test, test_best, seconds}."""
    peer = Peer(options, data, seed, weights)
    batches = (
        read_order(order, data)
        if order
        else random_order(data, options.epochs, options.batch, options.steps, seed)
    )
    if options.save:
        folder = pathlib.Path(options.save)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.contiguous() for name, value in peer.network.state_dict().items()}
        save_file(weights, folder / f"initial_{seed}.safetensors")
        save_order(folder / f"order_{seed}.jsonl", batches, data)
    start = time.perf_counter()
    losses, validation, best = peer.train(batches, options.steps, options.lr)
    if options.fine_tune_epochs and not options.max_steps:
        more = random_order(data, options.fine_tune_epochs, options.batch, 3, seed + 1000)
        further = peer.train(more, 3, options.fine_tune_lr)
        losses, validation, best = losses + further[0], validation + further[1], further[2]
    result = {
        "seed": seed,
        "seconds": time.perf_counter() - start,
        "losses": losses,
        "validation": validation,
    }
    if not options.max_steps:
        result["test"] = peer.test()
        peer.network.load_state_dict(best)
        result["test_best"] = peer.test()
    return result


def first_losses(options, data, weights, order):
    """The first losses in float64, and in float32 with the other memory format."""
    short = vars(options) | {"max_steps": FIRST, "fine_tune_epochs": 0, "save": None}
    kinds = {
        "exact": short | {"double": True, "nchw": True},
        "other": short | {"nchw": not options.nchw},
    }
    return {
        name: run_peer(argparse.Namespace(**kind), data, 0, weights, order)["losses"]
        for name, kind in kinds.items()
    }


def mean_row(rows):
    return {str(lead): float(np.mean([row[str(lead)] for row in rows])) for lead in LEADS}


def run_losses(folder):
    """Training losses of a run folder by step, in order: lines of metrics.jsonl with a train
    loss."""
    losses = []
    with open(pathlib.Path(folder) / "metrics.jsonl") as file:
        for line in file:
            row = json.loads(line)
            value = next(
                (
                    row[key]
                    for key in ("train_loss", "train_loss_step", "loss")
                    if row.get(key) is not None
                ),
                None,
            )
            if value is not None:
                losses.append((row["step"], value))
    return [value for _, value in sorted(losses)]


def run_scores(folder, variable):
    """{lead: rmse} of a run folder, and its training seconds if it tells them."""
    scores = json.loads((pathlib.Path(folder) / "scores.json").read_text())
    rows = scores["test"]["rmse"]
    name = variable if variable in rows else next(key for key in rows if key.startswith(variable))
    timing = pathlib.Path(folder) / "timing.json"
    seconds = json.loads(timing.read_text())["train_seconds"] if timing.exists() else None
    return {str(int(float(lead))): value for lead, value in rows[name].items()}, seconds


def relative(losses, exact):
    count = min(FIRST, len(losses))
    return np.abs(np.array(losses[:count]) / np.array(exact[:count]) - 1)


def precision_of(folder):
    return json.loads((pathlib.Path(folder) / "config.json").read_text()).get("precision", "fp32")


def compare_losses(folder, peer):
    """Prints the first losses; true if ours differ from float64 by at most 1e-3 or, in float32
    and once PyTorch's own float32 differs too, by at most 5 times its largest difference so far."""
    exact = peer["first"]["exact"]
    ours = run_losses(folder)[:FIRST]
    print(f"\n{folder}\n{'':31}relative difference from float64 of")
    names = ("step", "py4cast", "float64", "py4cast", "PyTorch", "other layout")
    print("".join(f"{name:>{width}}" for name, width in zip(names, (5, 13, 13, 11, 10, 14))))
    columns = [relative(losses, exact) for losses in (ours, peer["losses"], peer["first"]["other"])]
    for step, row in enumerate(zip(ours, exact, *columns), 1):
        print(f"{step:>5}{row[0]:13.7g}{row[1]:13.7g}{row[2]:11.1e}{row[3]:10.1e}{row[4]:14.1e}")
    if len(ours) < FIRST:
        print(f"only {len(ours)} losses in metrics.jsonl")
        return False
    rounding = np.maximum.accumulate(np.maximum(columns[1], columns[2]))
    if precision_of(folder) == "fp64":
        rounding[:] = 0
    steps = np.append(np.flatnonzero(columns[0] > 1e-3), FIRST)[0]
    print(
        f"py4cast stays within 1e-3 for {steps} steps, at worst {columns[0].max():.1e}; "
        f"PyTorch at worst {columns[1].max():.1e}, in the other layout {columns[2].max():.1e}"
    )
    return bool((columns[0] <= np.maximum(1e-3, 5 * rounding)).all())


def compare(options, peers):
    """Prints both sides' losses and scores; true if they are equal: see compare_losses; mean RMSE
    to the larger of 3 % and 2 standard errors of the difference."""
    good = all([compare_losses(folder, peer) for folder, peer in zip(options.compare, peers)])
    if not all("test" in peer for peer in peers):
        return good
    ours, seconds = zip(*(run_scores(folder, options.variable) for folder in options.compare))
    theirs = [peer[tested_checkpoint(folder)] for folder, peer in zip(options.compare, peers)]
    print("\n" + table({"py4cast": mean_row(ours), "PyTorch": mean_row(theirs)}))
    means = [
        np.array([np.mean([row[str(lead)] for lead in LEADS]) for row in rows])
        for rows in (ours, theirs)
    ]
    difference = means[0].mean() - means[1].mean()
    spread = [m.std(ddof=1) / len(m) ** 0.5 if len(m) > 1 else 0 for m in means]
    allowed = max(0.03 * means[1].mean(), 2 * float(np.hypot(*spread)))
    print(
        f"mean RMSE: py4cast - PyTorch = {difference:+.4f} K, allowed {allowed:.4f} "
        f"({len(ours)} runs)"
    )
    print(
        f"training: py4cast {seconds} s, PyTorch {[round(peer['seconds'], 1) for peer in peers]} s"
    )
    return bool(good and abs(difference) <= allowed)


def tested_checkpoint(folder):
    """Which of the run's checkpoints was tested: "best" unless scores.json says otherwise."""
    path = pathlib.Path(folder) / "scores.json"
    name = json.loads(path.read_text()).get("checkpoint", "best") if path.exists() else "best"
    return "test" if name == "last" else "test_best"


def options_of_run(options, folder):
    """The options with what the run's resolved configuration says instead."""
    path = pathlib.Path(folder) / "config.json"
    config = json.loads(path.read_text()) if path.exists() else {}
    training = config.get("training", {})
    schedule = training.get("schedule", {})
    found = {
        "network": config.get("model", {}).get("name"),
        "settings": config.get("model", {}).get("settings"),
        "border": config.get("dataset", {}).get("border"),
        "weight": config.get("dataset", {})
        .get("variables", {})
        .get(options.variable, {})
        .get("weight"),
        "steps": training.get("num_pred_steps_train"),
        "lr": training.get("optimizer", {}).get("lr"),
        "min_lr": schedule.get("min_lr"),
        "warmup": schedule.get("warmup_steps"),
    }
    return argparse.Namespace(
        **vars(options) | {key: value for key, value in found.items() if value is not None}
    )


def initial_weights(folder):
    return str(pathlib.Path(folder) / "checkpoints" / "initial" / "model.safetensors")


def order_of(options, index):
    if options.order:
        return options.order[index if len(options.order) > 1 else 0]
    if options.compare:
        return str(pathlib.Path(options.compare[index]) / "order.jsonl")
    return None


def main():
    options = arguments()
    cores = [int(core) for core in options.cores.split(",")]
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    data = Data(options.file, options.variable, options.border)
    inside = data.starts(data.test, INPUTS, max(LEADS))
    report = {
        "statistics": {
            key: float(getattr(data, key)) for key in ("mean", "std", "change_mean", "change_std")
        },
        "baselines": baselines(data, lambda lead: inside),
        "options": {
            key: value for key, value in vars(options).items() if key not in ("out", "results")
        },
    }
    if options.results:
        report["runs"] = json.loads(pathlib.Path(options.results).read_text())["runs"]
    elif options.compare:
        report["runs"] = []
        for index, run in enumerate(options.compare):
            weights = options.weights or initial_weights(run)
            case = options_of_run(options, run), data, weights, order_of(options, index)
            first = first_losses(*case)
            report["runs"].append(run_peer(*case[:2], 0, *case[2:]) | {"first": first})
    else:
        report["runs"] = []
        for index, seed in enumerate(map(int, options.seeds.split(","))):
            report["runs"].append(
                run_peer(options, data, seed, options.weights, order_of(options, index))
            )
            run = report["runs"][-1]
            print(
                f"seed {seed}: {run['seconds']:.1f} s, {len(run['losses'])} steps, "
                f"loss {run['losses'][0]:.4f} to {np.mean(run['losses'][-20:]):.4f}, "
                f"validation {[round(v, 2) for v in run['validation']]}",
                flush=True,
            )
    rows = dict(report["baselines"])
    for name in ("test", "test_best"):
        scores = [run[name] for run in report["runs"] if name in run]
        if scores:
            rows |= {f"{name} {i}": row for i, row in enumerate(scores, 1)} | {
                f"{name} mean": mean_row(scores)
            }
    print(table(rows))
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(report, indent=1) + "\n")
    if options.compare and not compare(options, report["runs"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
