"""What a month costs, by requests an hour: `python deploy/cost.py` (`--check` only compares).

measured.json (what a request and a start take) × prices.json (what platforms charge)
  —month→ dollars —table→ README.md, between its two markers —plot→ cost.svg

The model: requests come at random (Poisson, rate λ). A replica stays `idle_seconds` T after its
last request, so the chance that a request meets none is e^(-λT), and a replica is up for
E[min(gap, T)] = (1 - e^(-λT)) / λ of every gap, plus the start that such a request waits for.
Real traffic comes in waves, which favours scale-to-zero more than this does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
README = HERE / "README.md"
PLOT = HERE / "cost.svg"
BEGIN, END = "<!-- cost:begin, written by cost.py -->", "<!-- cost:end -->"
MODES = {"scale_to_zero": "scale to zero", "always_on": "always on"}


@dataclass(frozen=True)
class Measured:
    """What the service takes; seconds, gibibytes, megabytes (measured.json says from where)."""

    cpu_seconds_per_request: float
    answer_seconds: float
    requests_per_second: float
    cold_start_seconds: float
    upload_megabytes: float
    image_gib: float
    vcpu: float
    memory_gib: float


def load() -> tuple[Measured, dict[str, Any]]:
    """The two parameter files: what was measured, and the prices."""
    measured = json.loads((HERE / "measured.json").read_text())
    values = {name: measured[name]["value"] for name in Measured.__dataclass_fields__}
    prices: dict[str, Any] = json.loads((HERE / "prices.json").read_text())
    return Measured(**values), prices


def cold_share(requests_per_hour: float, idle_seconds: float) -> float:
    """Share of requests that find no replica and wait for a start, 0–1."""
    return math.exp(-requests_per_hour / 3600 * idle_seconds)


def up_share(requests_per_hour: float, idle_seconds: float, start_seconds: float) -> float:
    """Share of the time that a replica that goes to sleep after `idle_seconds` is up, 0–1."""
    rate = requests_per_hour / 3600
    cold = cold_share(requests_per_hour, idle_seconds)
    gap_up = (1 - cold) / rate
    return (gap_up + cold * start_seconds) / (1 / rate + cold * start_seconds)


def month(
    platform: dict[str, Any],
    mode: str,
    requests_per_hour: float,
    m: Measured,
    prices: dict[str, Any],
) -> float | None:
    """Dollars a month, or None where the platform has no such mode or cannot carry the load."""
    terms = platform[mode]
    if terms is None:
        return None
    price = {name: entry["usd"] for name, entry in platform["prices"].items()}
    seconds = prices["hours_a_month"] * 3600
    rate = requests_per_hour / 3600
    requests = requests_per_hour * prices["hours_a_month"]

    if rate > platform.get("highest_rps", math.inf):
        return None
    replicas = max(1, math.ceil(rate / (m.requests_per_second * prices["highest_utilization"])))

    up, cold = 1.0, 0.0
    if mode == "scale_to_zero" and replicas == 1:
        up = up_share(requests_per_hour, terms["idle_seconds"], m.cold_start_seconds)
        cold = cold_share(requests_per_hour, terms["idle_seconds"])
    up_seconds = seconds * replicas * up
    start_seconds = requests * cold * m.cold_start_seconds

    memory = platform["memory_gib"]
    if terms["billing"] == "provisioned":
        vcpu_seconds, gib_seconds = up_seconds * m.vcpu, up_seconds * memory
        idle_seconds = 0.0
    elif terms["billing"] == "busy":
        # Requests that overlap are billed once: a replica is busy 1 - e^(-λs) of the time.
        step = terms["granularity_seconds"]
        answer = math.ceil(m.answer_seconds / step) * step
        busy = seconds * replicas * (1 - math.exp(-rate / replicas * answer)) + start_seconds
        vcpu_seconds, gib_seconds = busy * m.vcpu, busy * memory
        idle_seconds = 0.0 if mode == "scale_to_zero" else seconds * replicas - busy
    else:  # used: the CPU that ran, the memory that was held
        vcpu_seconds = requests * m.cpu_seconds_per_request + start_seconds * m.vcpu
        gib_seconds, idle_seconds = up_seconds * memory, 0.0

    free = platform.get("free", {})
    total = price.get("fixed_month", 0.0)
    total += up_seconds * price.get("replica_second", 0.0)
    total += max(0.0, vcpu_seconds - free.get("vcpu_seconds", 0)) * price.get("vcpu_second", 0.0)
    total += max(0.0, gib_seconds - free.get("gib_seconds", 0)) * price.get("gib_second", 0.0)
    total += idle_seconds * m.vcpu * price.get("idle_vcpu_second", 0.0)
    total += idle_seconds * memory * price.get("idle_gib_second", 0.0)
    total += max(0.0, requests - free.get("requests", 0)) / 1e6 * price.get("million_requests", 0.0)
    total += requests * m.upload_megabytes / 1000 * price.get("gigabyte_in", 0.0)
    total += (1 - up) * m.image_gib * price.get("stopped_image_gib_month", 0.0)
    return max(total, platform.get("minimum_month", {}).get("usd", 0.0))


def dearer_from(platform: dict[str, Any], m: Measured, prices: dict[str, Any]) -> float | None:
    """Requests an hour from which scaling to zero saves less than a tenth, to 10 %; else None."""
    for step in range(int(math.log(1e6) / math.log(1.1)) + 1):
        load_now = 1.1**step
        zero = month(platform, "scale_to_zero", load_now, m, prices)
        always = month(platform, "always_on", load_now, m, prices)
        if zero is not None and always is not None and zero > 0.9 * always:
            return load_now
    return None


def _money(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 0.005:
        return "0"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


def table(m: Measured, prices: dict[str, Any]) -> str:
    """The generated part of README.md, without its markers."""
    loads = prices["requests_per_hour"]
    lines = [
        f"A request takes {m.cpu_seconds_per_request * 1000:.0f} ms of CPU, a start "
        f"{m.cold_start_seconds:g} s; a replica has {m.vcpu:g} vCPU and answers "
        f"{m.requests_per_second:g} requests/s, of which {prices['highest_utilization']:.0%} are "
        "planned with.",
        "",
    ]
    for mode, title in MODES.items():
        lines += [
            f"Dollars a month, **{title}**, by requests an hour:",
            "",
            "| | " + " | ".join(f"{load_now:,}" for load_now in loads) + " |",
            "|---|" + "---:|" * len(loads),
        ]
        for platform in prices["platforms"]:
            if platform[mode] is None:
                continue
            cells = [_money(month(platform, mode, load_now, m, prices)) for load_now in loads]
            lines.append(f"| {platform['name']} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += [
        "Share of requests that wait for a start, and where sleeping stops paying:",
        "",
        "| | sleeps after | "
        + " | ".join(f"{load_now:,}/h" for load_now in loads[:4])
        + " | saves under 10 % from |",
        "|---|---:|" + "---:|" * 4 + "---:|",
    ]
    for platform in prices["platforms"]:
        if platform["scale_to_zero"] is None:
            continue
        idle = platform["scale_to_zero"]["idle_seconds"]
        shares = []
        for load_now in loads[:4]:
            share = cold_share(load_now, idle)
            shares.append("0 %" if share < 0.0005 else f"{share * 100:.2g} %")
        limit = dearer_from(platform, m, prices)
        lines.append(
            f"| {platform['name']} | {idle / 60:g} min | "
            + " | ".join(shares)
            + f" | {'never' if limit is None else f'{limit:,.0f}/h'} |"
        )
    lines += ["", "–: too much for it (a lone machine, a lone replica or shared cores, full)."]
    return "\n".join(lines)


def digest(text: str) -> str:
    """What the plot shows, in twelve characters: kept in the file, so that a test sees it age."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plot(m: Measured, prices: dict[str, Any], stamp: str, path: Path = PLOT) -> None:
    """Two panels, dollars a month over requests an hour; below ten cents is on the floor."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "cost"  # the same numbers give the same file
    # Okabe and Ito's colours, told apart by nearly everybody, with dashes for the rest.
    styles = [
        ("#0072B2", "-"), ("#56B4E9", "--"), ("#009E73", "-"), ("#009E73", ":"),
        ("#CC79A7", "-"), ("#E69F00", "-"), ("#D55E00", "-"), ("#000000", "--"),
    ]  # fmt: skip
    floor = 0.1
    loads = [10 ** (exponent / 12) for exponent in range(73)]
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (mode, title) in zip(axes, MODES.items(), strict=True):
        for platform, (colour, dash) in zip(prices["platforms"], styles, strict=True):
            costs = [month(platform, mode, load_now, m, prices) for load_now in loads]
            points = [
                (x, max(floor, y)) for x, y in zip(loads, costs, strict=True) if y is not None
            ]
            # In both panels' key, drawn or not: one legend serves both.
            xs, ys = zip(*points, strict=True) if points else ((), ())
            axis.plot(xs, ys, dash, color=colour, linewidth=1.8, label=platform["name"])
        axis.set_title(title.capitalize(), loc="left", fontsize=11)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("requests an hour")
        axis.minorticks_off()
        axis.grid(visible=True, which="major", linewidth=0.4, alpha=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_ylim(floor * 0.9, 3000)
        ticks = [0.1, 1, 10, 100, 1000]
        axis.set_yticks(ticks, ["free", "$1", "$10", "$100", "$1,000"])
        axis.set_xticks(
            [1, 10, 100, 1e3, 1e4, 1e5, 1e6], ["1", "10", "100", "1k", "10k", "100k", "1M"]
        )
    axes[0].set_ylabel("dollars a month")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    metadata = {"Date": None, "Description": f"cost {stamp}"} if path.suffix == ".svg" else None
    figure.savefig(path, metadata=metadata, dpi=120)


def current(readme: str) -> str:
    """What stands between the markers of README.md now."""
    return readme.split(BEGIN, 1)[1].split(END, 1)[0].strip("\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the table of README.md and cost.svg.")
    parser.add_argument("--check", action="store_true", help="only say whether they are current")
    options = parser.parse_args(arguments)

    m, prices = load()
    text = table(m, prices)
    readme = README.read_text()
    if options.check:
        fresh = current(readme) == text and f"cost {digest(text)}" in PLOT.read_text()
        print("current" if fresh else "out of date: run python deploy/cost.py")
        return 0 if fresh else 1
    before, rest = readme.split(BEGIN, 1)
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")
    plot(m, prices, digest(text))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
