#!/usr/bin/env python3
"""Time of one training step of mfai's and neural-lam's networks in PyTorch: the peer of py4cast_bench.

A step is forward (some in a row with --forecasts), weighted MSE over the interior, backward, fused
AdamW, on resident data. Prints JSON in Google Benchmark's shape: one entry per network and variant with the median time, its spread, the peak resident memory of a process of its own (VmHWM) and the share of
the product ceiling; and the ceilings themselves (matrix product, triad), measured before and after.
Each measurement runs in a fresh process pinned to --cores. On a GPU the memory is the most that
PyTorch's allocator held, and the ceilings are an fp32 product and a triad in its memory.

    torch_step.py [--networks halfunet64,...] [--device cpu|cuda] [--size 512] [--inputs 67]
                  [--outputs 21] [--batch 1] [--forecasts 1] [--steps 5] [--variants ...] [--cores 0,1]
                  [--program build/py4cast] [--no-ceilings] [--out F.json]

A variant is a layout, nchw or channels_last, of graph networks nodes (mfai's class) or neurallam
(neural-lam's own, on its own graph and with its last sum), with any of:
_tf32 (GPU only), _bf16 (autocast), _compiled (torch.compile; on a GPU replayed as CUDA graphs),
_deterministic. With --program each network's output and gradients are first compared with those of
py4cast for the same weights and input, in fp32 and evaluation mode, at 64 x 64 points.
"""

import argparse
import contextlib
import io
import json
import math
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from checks import at_least_one, need, words_of, writable

# name: py4cast's name of the network, settings that are not the default
NETWORKS = {
    "halfunet32": ("halfunet", {"num_filters": 32}),
    "halfunet64": ("halfunet", {}),
    "halfunet128": ("halfunet", {"num_filters": 128}),
    "halfunet128_ghost": ("halfunet", {"num_filters": 128, "use_ghost": True}),
    "unet": ("unet", {}),
    "segformer": ("segformer", {}),
    "graphlam": ("graphlam", {}),
    "hilam": ("hilam", {}),
    "hilamparallel": ("hilamparallel", {}),
}
MODES = ("tf32", "bf16", "compiled", "deterministic")
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "reference"))


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--networks", default="halfunet64", help=", ".join(NETWORKS))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--inputs", type=int, default=67)
    parser.add_argument("--outputs", type=int, default=21)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument(
        "--forecasts", type=int, default=1, help="forecasts of a step, each from the one before"
    )
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after some untimed ones")
    parser.add_argument(
        "--variants",
        help="as described above (default: channels_last,nchw; of graph networks nodes)",
    )
    parser.add_argument("--program", help="py4cast, to compare outputs and gradients with before all timing")
    parser.add_argument("--cores", default="0,1", help="list given to taskset")
    parser.add_argument(
        "--wait",
        type=float,
        default=60,
        help="seconds to wait at most for an idle machine before each",
    )
    parser.add_argument("--no-ceilings", action="store_true", help="measure no ceilings")
    parser.add_argument("--out", help="also write the JSON to this file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def peak_resident_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def timed(function, repeats):
    """Seconds of each call, with the work that it left on the GPU."""
    import torch

    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return times


def neural_lam_network(name, settings, folder, shape, inputs, outputs):
    """neural-lam's own class on its own graph, which lies in folder/graph/theirs."""
    import neural_lam_networks as nl

    with contextlib.redirect_stdout(io.StringIO()):
        nl.make_graph(name, folder / "graph" / "theirs", shape)
    return nl.make_network(name, settings, nl.Grid(folder, shape, inputs, outputs), "theirs")


def peer_network(family, name, settings, folder, shape, inputs, outputs):
    """A random network, a function for its output, and the settings with which py4cast makes the same."""
    import graph_file
    from networks import forward, is_graph, make_network

    graph = folder / "graph.nc"
    if family == "neural_lam":
        import neural_lam_networks as nl

        network = neural_lam_network(name, settings, folder, shape, inputs, outputs).eval()
        loaded = graph_file.load(folder / "graph" / "theirs")
        graph_file.write(graph, graph_file.as_py4cast(graph_file.local(loaded)))
        settings = settings | {"graph": str(graph)}
        return network, lambda x: nl.forward(network, x, outputs), settings
    made = graph if is_graph(name) else None
    network = make_network(name, settings, inputs, outputs, shape, graph_out=made).eval()
    if made:  # of equally near neighbours py4cast would take others
        settings = settings | {"compatibility": "mfai", "graph": str(graph)}
    return network, lambda x: forward(name, network, x), settings


def compare(options, which, family):
    """Largest differences to py4cast for the same weights and input: of the output y relative to the
    largest, and of the gradient of mean(y^2) by any parameter relative to its norm (or a thousandth of
    the largest norm)."""
    import torch
    from safetensors.torch import load_file, save_file

    def call(*command):
        done = subprocess.run(
            [options.program, "model", *map(str, command)], capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{which}: {done.stderr.strip()}")

    torch.manual_seed(0)
    size, inputs, outputs = 64, 7, 3
    name, settings = NETWORKS[which]
    with tempfile.TemporaryDirectory() as path:
        folder = pathlib.Path(path)
        x = torch.randn(1, size, size, inputs)
        network, forward, settings = peer_network(
            family, name, settings, folder, (size, size), inputs, outputs
        )
        y = forward(x)
        y.square().mean().backward()
        (folder / "settings.json").write_text(json.dumps(settings))
        save_file({"x": x}, folder / "x.st")
        slopes = {k: p.grad for k, p in network.named_parameters() if p.grad is not None}
        weights = network.state_dict()
        for kind, tensors in {"weights": weights, "slopes": weights | slopes}.items():
            file = folder / f"{kind}.st"
            save_file({k: v.detach().contiguous() for k, v in tensors.items()}, file)
            if family == "neural_lam":  # gradients change their names and signs as weights do
                call("convert", "--from", family, "--to", "mfai", "--weights", file, "--output",
                     folder / "converted.st")  # fmt: skip
                (folder / "converted.st").rename(file)
        call("forward", "--model", name, "--outputs", outputs, "--settings", folder / "settings.json",
             "--weights", folder / "weights.st", "--input", folder / "x.st", "--output", folder / "y.st",
             "--gradients", folder / "g.st", "--device", options.device)  # fmt: skip
        ours, theirs = load_file(folder / "g.st"), load_file(folder / "slopes.st")
        difference = ((load_file(folder / "y.st")["y"] - y).abs().max() / y.abs().max()).item()
    least = 1e-3 * max(g.norm() for g in ours.values())
    of_gradients = {
        k: ((g - theirs[k]).norm() / max(theirs[k].norm(), least)).item() for k, g in ours.items()
    }
    worst = max(of_gradients, key=of_gradients.get)
    if len(ours) != len(slopes):
        raise SystemExit(f"{which}: {len(ours)} gradients, of {family} {len(slopes)}")
    if not difference < 1e-4:
        raise SystemExit(f"{which}: the outputs differ from those of {family} by {difference:.1e}")
    if not of_gradients[worst] < 1e-3:
        raise SystemExit(
            f"{which}: the gradient by {worst} differs from that of {family} by {of_gradients[worst]:.1e}"
        )
    return {"outputs": difference, "gradients": of_gradients[worst]}


def is_graph_network(which):
    return NETWORKS[which][0] in ("graphlam", "hilam", "hilamparallel")


def layouts_of(which):
    return ("nodes", "neurallam") if is_graph_network(which) else ("channels_last", "nchw")


def layout_and_modes(which, variant):
    """Of "channels_last_bf16": the layout, and the set of what follows it."""
    layout = next((each for each in layouts_of(which) if (variant + "_").startswith(each + "_")), None)
    modes = variant.removeprefix(layout or "").split("_")[1:]
    if layout is None or not set(modes) <= set(MODES):
        raise SystemExit(
            f"--variants: {which} has no variant '{variant}'; there are {' and '.join(layouts_of(which))}, "
            f"with any of {', '.join('_' + mode for mode in MODES)}"
        )
    return layout, set(modes)


def family_of(variant):
    return "neural_lam" if variant.startswith("neurallam") else "mfai"


def step_times(options, which, variant):
    import torch
    from networks import make_network

    torch.manual_seed(0)
    shape = (options.size, options.size)
    layout, modes = layout_and_modes(which, variant)
    name, settings = NETWORKS[which]
    graph = is_graph_network(which)
    memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "tf32" in modes
    torch.backends.cudnn.benchmark = "deterministic" not in modes
    torch.use_deterministic_algorithms("deterministic" in modes, warn_only=True)
    device = options.device
    if layout == "neurallam":
        with tempfile.TemporaryDirectory() as folder:
            network = neural_lam_network(
                name, settings, pathlib.Path(folder), shape, options.inputs, options.outputs
            )
    else:
        network = make_network(name, settings, options.inputs, options.outputs, shape)
    network = on_device(network, device, memory).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )
    forward = network
    if "compiled" in modes:
        forward = torch.compile(network, mode="reduce-overhead" if device == "cuda" else "default")

    def field(features, make=torch.randn):
        if graph:
            return make(options.batch, shape[0] * shape[1], features, device=device)
        return make(options.batch, features, *shape, device=device).contiguous(memory_format=memory)

    x, target = field(options.inputs), field(options.outputs)
    interior = torch.zeros(shape, device=device)
    interior[10:-10, 10:-10] = 1
    weights = torch.rand(options.outputs, device=device) + 0.5
    if graph:
        interior = interior.reshape(1, -1, 1)
    else:
        weights = weights.reshape(1, -1, 1, 1)
    losses = []
    axis = -1 if graph else 1
    others = options.inputs - 2 * options.outputs
    start = x.split([options.outputs, options.outputs, others], axis)

    def forecast(before, now, forcing):
        with torch.autocast(device, dtype=torch.bfloat16, enabled="bf16" in modes):
            if layout == "neurallam":  # which adds the state itself
                return forward(now, before, forcing)[0].float()
            if options.forecasts == 1:
                return forward(x).float()
            return now + forward(torch.cat((before, now, forcing), axis)).float()

    def step():
        before, now, forcing = start
        loss = 0
        for _ in range(options.forecasts):
            before, now = now, forecast(before, now, forcing)
            loss = loss + ((now - target) ** 2 * weights * interior).sum()
        loss = loss / (options.batch * interior.sum() * options.forecasts)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())

    timed(step, 5 if device == "cuda" or "compiled" in modes else 2)
    inner = 10 if device == "cuda" else 1  # the host waits once in so many steps
    times = timed(lambda: [step() for _ in range(inner)], options.steps)
    times = [seconds / inner for seconds in times]
    losses = [loss.item() for loss in losses]
    if not all(map(math.isfinite, losses)) or losses[-1] == losses[0]:
        raise SystemExit(f"the network does not train: {losses}")
    parameters = sum(p.numel() for p in network.parameters())
    return {
        "times": times,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "parameters": parameters,
    }


def ceilings(device):
    import torch

    torch.set_default_device(device)
    n = 3072 if device == "cpu" else 8192
    a, b, c = torch.randn(n, n), torch.randn(n, n), torch.empty(n, n)
    torch.mm(a, b, out=c)
    product = min(timed(lambda: torch.mm(a, b, out=c), 5))
    length = 1 << (26 if device == "cpu" else 29)
    x, y, z = torch.ones(length), torch.ones(length), torch.ones(length)
    triad = lambda: torch.add(x, y, alpha=3.0, out=z)
    torch.mm(a, b, out=c)
    triad()
    # Three streams, as STREAM counts them (the write's read-for-ownership is not counted).
    return {
        "matmul_gflops": 2 * n**3 / product / 1e9,
        "triad_gb_s": 3 * 4 * length / min(timed(triad, 7)) / 1e9,
    }


def processor_seconds():
    """(busy seconds of the whole machine, seconds taken from it by its host) since its start."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


told_to_wait = False


def wait_for_idle(cores, limit):
    """Waits until the machine's processors were idle for three seconds, at most limit seconds."""
    global told_to_wait
    end = time.time() + limit
    while time.time() < end:
        busy = processor_seconds()[0]
        time.sleep(3)
        if processor_seconds()[0] - busy < 0.05 * 3 * cores:
            return
        if not told_to_wait:
            told_to_wait = True
            print(f"waits for idle processors, up to {limit:g} s before each measurement (--wait)",
                  file=sys.stderr, flush=True)  # fmt: skip


def child(options):
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: PyTorch finds no GPU, or no driver of one")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    busy, steal = processor_seconds()
    own, start = sum(os.times()[:4]), time.perf_counter()
    what, *which = options.child.split("/")
    functions = {
        "ceilings": lambda: ceilings(options.device),
        "compare": compare,
        "step": step_times,
    }
    result = functions[what](*([options] * bool(which)), *which)
    seconds = time.perf_counter() - start
    now_busy, now_steal = processor_seconds()
    result["busy_cores_of_others"] = max(0, now_busy - busy - (sum(os.times()[:4]) - own)) / seconds
    result["stolen_cores"] = (now_steal - steal) / seconds
    result |= {
        "peak_rss_mb": peak_resident_mb(),
        "peak_device_mb": torch.cuda.max_memory_allocated() / 1e6,
        "gpu": torch.cuda.get_device_name() if options.device == "cuda" else "",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps(result))


def on_device(network, device, memory):
    """Also the tensors that mfai's graph networks hold as attributes or in lists, which Module.to leaves behind."""
    import torch

    def moved(value):
        return value.to(device) if isinstance(value, torch.Tensor) else value

    network = network.to(device, memory_format=memory)
    for module in network.modules():
        for key, value in vars(module).items():
            if isinstance(value, torch.Tensor):
                vars(module)[key] = moved(value)
            elif isinstance(value, list) and any(isinstance(each, torch.Tensor) for each in value):
                vars(module)[key] = [moved(each) for each in value]
    return network


def last_error(text):
    """The sentence of the exception that ended a program, else its last line."""
    lines = text.strip().splitlines() or ["?"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt)\b", line)]
    return (named or lines)[-1]


def run_child(options, what):
    cores = options.cores
    threads = str(len(cores_of(cores)))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    wait_for_idle(int(threads), options.wait)
    command = ["taskset", "-c", cores, sys.executable, __file__, *sys.argv[1:], "--child", what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{what} failed: {last_error(done.stderr)}")
    return json.loads(done.stdout.splitlines()[-1])


def cores_of(text):
    cores = []
    for part in text.split(","):
        if not re.fullmatch(r"\d+(-\d+)?", part):
            raise SystemExit(f"--cores {text}: a list as 0,2-3 is needed")
        first, _, last = part.partition("-")
        cores += range(int(first), int(last or first) + 1)
    return cores


def main():
    options = arguments()
    if options.child:
        return child(options)
    at_least_one(options, "size", "inputs", "outputs", "batch", "forecasts", "steps")
    cores_of(options.cores)
    runs = []
    for name in words_of("--networks", options.networks, NETWORKS):
        variants = options.variants or (
            "nodes" if is_graph_network(name) else "channels_last,nchw"
        )
        runs += [(name, variant) for variant in variants.split(",")]
    for run in runs:
        layout_and_modes(*run)
    need("torch", "mfai")
    if any(map(is_graph_network, options.networks.split(","))):
        need("torch_geometric")
    if any(family_of(variant) == "neural_lam" for _, variant in runs):
        need("neural_lam")
    if options.out:
        writable(options.out)
    if options.program:
        need("safetensors")
        if not shutil.which(options.program):
            raise SystemExit(f"--program {options.program}: there is no such program")
    measured = {} if options.no_ceilings else {"before": run_child(options, "ceilings")}
    compared = {}
    if options.program:
        pairs = {(name, family_of(variant)) for name, variant in runs}
        compared = {pair: run_child(options, "compare/" + "/".join(pair)) for pair in sorted(pairs)}
    results = {run: run_child(options, f"step/{run[0]}/{run[1]}") for run in runs}
    if measured:
        measured["after"] = run_child(options, "ceilings")
    ceiling = ("matmul_gflops", "triad_gb_s")
    one = next(iter(results.values()))
    benchmarks = []
    for (network, variant), result in results.items():
        times = result["times"]
        name = f"torch/{network}/{variant}/{options.size}/{options.forecasts}"
        entry = {
            "name": name,
            "run_name": name,
            "run_type": "iteration",
            "aggregate_name": "median",
            "threads": result["threads"],
            "iterations": len(times),
            "real_time": statistics.median(times) * 1e3,
            "time_unit": "ms",
            "minimum_ms": min(times) * 1e3,
            "maximum_ms": max(times) * 1e3,
            "peak_rss_mb": result["peak_rss_mb"],
            "peak_device_mb": result["peak_device_mb"],
            "parameters": result["parameters"],
            "first_loss": result["first_loss"],
            "busy_cores_of_others": result["busy_cores_of_others"],
            "stolen_cores": result["stolen_cores"],
        }
        if pair := compared.get((network, family_of(variant))):
            entry["difference_of_outputs"] = pair["outputs"]
            entry["difference_of_gradients"] = pair["gradients"]
        benchmarks.append(entry)
    report = {
        "context": {
            "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "host_name": platform.node(),
            "machine": platform.machine(),
            "cores": options.cores,
            "torch": one["torch"],
            "gpu": one["gpu"],
            "executable": os.path.basename(__file__),
            **{
                f"ceilings_{when}": {key: found[key] for key in ceiling}
                for when, found in measured.items()
            },
            "load_average": os.getloadavg(),
        },
        "benchmarks": benchmarks,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        with open(options.out, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
