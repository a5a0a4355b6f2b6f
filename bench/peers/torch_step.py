#!/usr/bin/env python3
"""Time of one training step of mfai's HalfUNet in PyTorch: the peer of py4cast_bench.

A step is forward, weighted MSE over the interior, backward, fused AdamW, on resident data. Prints
JSON in Google Benchmark's shape: one entry per variant (eager channels_last, eager NCHW) with the
median time, its spread, the peak resident memory of a process of its own (VmHWM) and the share of
the product ceiling; and the ceilings themselves (matrix product, triad), measured before and after.
Each measurement runs in a fresh process pinned to --cores. On a GPU the memory is the most that
PyTorch's allocator held, and the ceilings are an fp32 product and a triad in its memory.

    torch_step.py [--device cpu|cuda] [--filters 64] [--size 512] [--inputs 67] [--outputs 21]
                  [--batch 1] [--steps 5] [--variants ...] [--cores 0,1] [--out F.json]

A variant is a layout, nchw or channels_last, with any of: _tf32 (GPU only), _bf16 (autocast),
_compiled (torch.compile; on a GPU replayed as CUDA graphs), _deterministic.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--ghost", action="store_true")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--inputs", type=int, default=67)
    parser.add_argument("--outputs", type=int, default=21)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5, help="timed steps, after some untimed ones")
    parser.add_argument(
        "--variants",
        default="channels_last,nchw",
        help="as described above",
    )
    parser.add_argument("--cores", default="0,1", help="list given to taskset")
    parser.add_argument(
        "--wait",
        type=float,
        default=60,
        help="seconds to wait at most for an idle machine before each",
    )
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


def step_times(options, variant):
    import torch
    from mfai.pytorch.models.half_unet import HalfUNet, HalfUNetSettings

    torch.manual_seed(0)
    shape = (options.size, options.size)
    layout, *modes = variant.removeprefix("channels_").split("_")
    memory = {"nchw": torch.contiguous_format, "last": torch.channels_last}[layout]
    unknown = set(modes) - {"tf32", "bf16", "compiled", "deterministic"}
    if unknown:
        raise SystemExit(f"variant {variant}: unknown {unknown}")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "tf32" in modes
    torch.backends.cudnn.benchmark = "deterministic" not in modes
    torch.use_deterministic_algorithms("deterministic" in modes, warn_only=True)
    device = options.device
    settings = HalfUNetSettings(num_filters=options.filters, use_ghost=options.ghost)
    network = (
        HalfUNet(options.inputs, options.outputs, shape, settings)
        .to(device, memory_format=memory)
        .train()
    )
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )
    forward = network
    if "compiled" in modes:
        forward = torch.compile(network, mode="reduce-overhead" if device == "cuda" else "default")

    def noise(features):
        field = torch.randn(options.batch, features, *shape, device=device)
        return field.contiguous(memory_format=memory)

    x, target = noise(options.inputs), noise(options.outputs)
    weights = torch.rand(1, options.outputs, 1, 1, device=device) + 0.5
    interior = torch.zeros(1, 1, *shape, device=device)
    interior[..., 10:-10, 10:-10] = 1
    losses = []

    def step():
        with torch.autocast(device, dtype=torch.bfloat16, enabled="bf16" in modes):
            y = forward(x)
        loss = ((y.float() - target) ** 2 * weights * interior).sum() / (
            options.batch * interior.sum()
        )
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())

    timed(step, 5 if device == "cuda" or "compiled" in modes else 2)
    inner = 10 if device == "cuda" else 1  # the host waits once in so many steps
    times = timed(lambda: [step() for _ in range(inner)], options.steps)
    times = [seconds / inner for seconds in times]
    losses = [loss.item() for loss in losses]
    if not all(map(math.isfinite, losses)) or losses[-1] >= losses[0]:
        raise SystemExit(f"the loss did not fall: {losses}")
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


def wait_for_idle(cores, limit):
    """Waits until the machine's processors were idle for three seconds, at most limit seconds."""
    end = time.time() + limit
    while time.time() < end:
        busy = processor_seconds()[0]
        time.sleep(3)
        if processor_seconds()[0] - busy < 0.05 * 3 * cores:
            return


def child(options):
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    busy, steal = processor_seconds()
    own, start = sum(os.times()[:4]), time.perf_counter()
    result = ceilings(options.device) if options.child == "ceilings" else step_times(options, options.child)
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


def run_child(options, what):
    cores = options.cores
    threads = str(len(cores_of(cores)))
    environment = os.environ | {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "passive",
    }
    wait_for_idle(int(threads), options.wait)
    command = ["taskset", "-c", cores, sys.executable, __file__, *sys.argv[1:], "--child", what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def cores_of(text):
    cores = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        cores += range(int(first), int(last or first) + 1)
    return cores


def multiply_adds(options):
    """Of the 3x3 and 1x1 convolutions, forward; None with ghost modules."""
    if options.ghost:
        return None
    f, points = options.filters, options.size**2
    levels = sum(18 * f * f / 4**level for level in range(1, 5))
    return (
        options.batch
        * points
        * (9 * options.inputs * f + 9 * f * f + levels + 18 * f * f + f * options.outputs)
    )


def main():
    options = arguments()
    if options.child:
        return child(options)
    before = run_child(options, "ceilings")
    results = {variant: run_child(options, variant) for variant in options.variants.split(",")}
    after = run_child(options, "ceilings")
    ceiling = {key: max(before[key], after[key]) for key in ("matmul_gflops", "triad_gb_s")}
    products = multiply_adds(options)
    benchmarks = []
    for variant, result in results.items():
        times = result["times"]
        network = f"half_unet{options.filters}{'_ghost' if options.ghost else ''}"
        name = f"torch/{network}/{variant}/{options.size}"
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
        if products:
            # Data and weight gradient cost a forward each; the first layer has no data gradient.
            flops = 2 * (
                3 * products
                - options.batch * options.size**2 * 9 * options.inputs * options.filters
            )
            entry["gflops"] = flops / statistics.median(times) / 1e9
            entry["share_of_matmul"] = entry["gflops"] / ceiling["matmul_gflops"]
        benchmarks.append(entry)
    report = {
        "context": {
            "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "host_name": platform.node(),
            "machine": platform.machine(),
            "cores": options.cores,
            "torch": before["torch"],
            "gpu": before["gpu"],
            "executable": os.path.basename(__file__),
            "ceilings_before": {key: before[key] for key in ceiling},
            "ceilings_after": {key: after[key] for key in ceiling},
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
