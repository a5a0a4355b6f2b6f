#!/usr/bin/env python3
"""Time of one training step of mfai's networks in PyTorch on a GPU, at PyTorch's best: replayed as one CUDA graph.

    torch_gpu_step.py [--nets hilam,...] [--steps 1] [--variants regional_bf16,graph_bf16,...] [--size 512]
                      [--seconds 1] [--budget 240] [--graphs FOLDER] [--go FILE] [--out results.jsonl]

One JSON line a measurement: network, variant, forecasts of a step, ms (median; forward, loss, backward, fused AdamW), peak
memory, parameters; the first line holds the machine and two of its ceilings. 67 features in (2 x 21 states, 25 others), 21 out,
batch 1, data resident. A variant that fails is a line, too. A precision, bf16 (autocast), tf32 or fp32, behind one of
  eager_     as it is
  graph_     the whole step captured and replayed
  regional_  blocks (interaction networks, MLPs) compiled, one compilation for all of one shape, and captured
  compile_   the whole network compiled, and captured: many minutes for HiLAM
With --go everything is compiled first; then it waits for FILE, while FILE.warm tells so: compiling needs processors, timing an
idle GPU. --graphs keeps the graphs, whose construction takes a minute.
"""

import argparse
import contextlib
import io
import json
import pathlib
import statistics
import tempfile
import time

from checks import need, words_of
from torch_step import on_device

need("torch", "mfai")
import torch  # noqa: E402

STATES, OTHERS = 21, 25
NETS = ("hilam", "graphlam", "halfunet64", "halfunet128_ghost", "segformer", "unet64")
MODES, PRECISIONS = ("eager", "graph", "regional", "compile"), ("bf16", "tf32", "fp32")
BLOCKS = ("InteractionNet", "Sequential")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", default="hilam,halfunet64")
    parser.add_argument("--steps", default="1")
    parser.add_argument("--variants", default="regional_bf16,graph_bf16,graph_tf32,eager_bf16")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--budget", type=float, default=1e9, help="seconds after which no measurement begins")
    parser.add_argument("--graphs")
    parser.add_argument("--go")
    parser.add_argument("--out")
    return parser.parse_args()


def timed(function, seconds):
    """Median, least and most milliseconds of a call; the host waits once in three."""
    for _ in range(3):
        function()
    torch.cuda.synchronize()
    times, end = [], time.time() + seconds
    while time.time() < end or len(times) < 5:
        start = time.perf_counter()
        for _ in range(3):
            function()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / 3 * 1e3)
    return statistics.median(times), min(times), max(times)


def network(name, size, graphs):
    channels = (2 * STATES + OTHERS, STATES, (size, size))
    if name in ("hilam", "graphlam"):
        from mfai.pytorch.models.nlam import GraphLAM, GraphLamSettings, HiLAM

        kind = HiLAM if name == "hilam" else GraphLAM
        folder = pathlib.Path(graphs or tempfile.mkdtemp()) / f"{name}_{size}"
        settings = GraphLamSettings(tmp_dir=folder)
        with contextlib.redirect_stdout(io.StringIO()):
            if not folder.exists():
                folder.mkdir(parents=True)
                axis = torch.arange(size).float() / (size - 1)
                kind.rank_zero_setup(settings, torch.stack(torch.meshgrid(axis, axis, indexing="xy")))
            return kind(*channels, settings)
    if name.startswith("halfunet"):
        from mfai.pytorch.models.half_unet import HalfUNet, HalfUNetSettings

        return HalfUNet(*channels, HalfUNetSettings(num_filters=64 if "64" in name else 128, use_ghost="ghost" in name))
    if name == "unet64":
        from mfai.pytorch.models.unet import UNet, UNetSettings

        return UNet(*channels, UNetSettings(init_features=64))
    from mfai.pytorch.models.segformer import Segformer, SegformerSettings

    return Segformer(*channels, SegformerSettings())


def blocks_of(module):
    for child in module.children():
        if type(child).__name__ in BLOCKS:
            yield child
        else:
            yield from blocks_of(child)


def measure(name, net, variant, steps, size, seconds):
    mode, precision = variant.split("_")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "fp32"
    torch.backends.cudnn.benchmark = True
    graph = name in ("hilam", "graphlam")
    memory = torch.contiguous_format if graph else torch.channels_last

    def field(features):
        x = torch.randn(1, *([size * size] if graph else [size, size]), features, device="cuda")
        return x if graph else x.movedim(-1, 1).contiguous(memory_format=memory)

    net = on_device(net, "cuda", memory).train()
    axis = -1 if graph else 1
    states, others, target = field(2 * STATES), field(OTHERS), field(STATES)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=1e-3, betas=(0.9, 0.95), fused=True, capturable=mode != "eager"
    )
    for module in net.modules():
        module._compiled_call_impl = None
    if mode == "regional":
        for block in blocks_of(net):
            block.compile(dynamic=False)
    forward = torch.compile(net) if mode == "compile" else net

    def step():
        state, loss = states, 0
        for _ in range(steps):
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
                y = forward(torch.cat([state, others], axis))
            new = state.narrow(axis, STATES, STATES) + y.float()
            loss = loss + ((new - target) ** 2).mean()
            state = torch.cat([state.narrow(axis, STATES, STATES), new], axis)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()

    torch.cuda.reset_peak_memory_stats()
    run = step
    if mode != "eager":
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            step()
        run = captured.replay
    middle, low, high = timed(run, seconds)
    return {
        "net": name,
        "variant": variant,
        "steps": steps,
        "ms": round(middle, 3),
        "low": round(low, 3),
        "high": round(high, 3),
        "it_per_s": round(1e3 / middle, 2),
        "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3),
        "parameters": sum(p.numel() for p in net.parameters()),
    }


def ceilings():
    x = torch.randn(1 << 30, device="cuda")
    y = torch.empty_like(x)
    copy = timed(lambda: y.copy_(x), 1)[0]
    m = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    product = timed(lambda: m @ m, 1)[0]
    return {
        "machine": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "copy_tb_s": round(8 * (1 << 30) / copy / 1e9, 2),
        "bf16_tf_s": round(2 * 8192**3 / product / 1e9, 0),
    }


def main():
    options = arguments()
    names = words_of("--nets", options.nets, NETS)
    known = [f"{mode}_{precision}" for mode in MODES for precision in PRECISIONS]
    variants = words_of("--variants", options.variants, known)
    if not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU, or no driver of one")
    file = open(options.out, "a") if options.out else None

    def emit(line):
        print(json.dumps(line), flush=True)
        if file:
            print(json.dumps(line), file=file, flush=True)

    torch._dynamo.config.recompile_limit = 512
    torch._dynamo.config.accumulated_recompile_limit = 4096
    torch._dynamo.config.automatic_dynamic_shapes = False
    nets = {name: network(name, options.size, options.graphs) for name in names}
    cases = [(name, steps, variant) for name in names for steps in map(int, options.steps.split(",")) for variant in variants]

    def attempt(name, steps, variant, seconds):
        try:
            return measure(name, nets[name], variant, steps, options.size, seconds)
        except Exception as error:
            sentence = (str(error).splitlines() or ["?"])[0]
            return {"net": name, "variant": variant, "steps": steps, "failed": f"{type(error).__name__}: {sentence}"}
        finally:
            torch.cuda.empty_cache()

    if options.go:
        for name, steps, variant in cases:
            if variant.startswith(("regional", "compile")):
                attempt(name, steps, variant, 0)
        pathlib.Path(options.go + ".warm").touch()
        while not pathlib.Path(options.go).exists():
            time.sleep(0.2)
    began = time.time()
    emit(ceilings())
    for name, steps, variant in cases:
        if time.time() - began > options.budget:
            emit({"net": name, "variant": variant, "steps": steps, "left_out": "over the budget"})
        else:
            emit(attempt(name, steps, variant, options.seconds))


if __name__ == "__main__":
    main()
