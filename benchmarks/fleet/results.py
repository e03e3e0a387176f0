"""What the fleet did, as a table."""

from benchmarks.suite import Figures
from benchmarks.tables import table


def text(figures: Figures) -> str:
    """Return the table under its heading."""
    gone, back = figures["gone"]
    heading = (
        f"{figures['clients']:,} clients on paper, one service for {figures['capacity']:,.0f} a "
        f"second, gone from {gone:.0f} s to {back:.0f} s."
    )
    return f"{heading}\n\n{summary(figures)}"


def summary(figures: Figures) -> str:
    """Return the table."""
    recovery, peaks = figures["recovery_seconds"], figures["peak_after"]
    shares = " / ".join(f"{share:.2f}" for share in figures["shares"])
    rows = [
        ["goodput, times the capacity", f"{figures['goodput']:.3f}"],
        ["requests for each creation, looks included", f"{figures['requests']:.3f}"],
        ["fairness, Jain's index (1: all get the same)", f"{figures['fairness']:.3f}"],
        ["a client gets, times its fair share: 5 % / median / 95 %", shares],
        ["requests a second while the service is gone", f"{figures['asked_while_gone']:,.0f}"],
        ["most requests in any 0.1 s after, times the capacity", f"{peaks['0.1']:.2f}"],
        ["most requests in any 1 s after, times the capacity", f"{peaks['1']:.2f}"],
        [
            f"seconds until {figures['recovered_at']:.0%} of the capacity is used again",
            "never" if recovery is None else f"{recovery:.1f}",
        ],
        ["fairness after it, Jain's index", f"{figures['fairness_after']:.3f}"],
    ]
    return table((f"{figures['clients']:,} clients", "measured"), rows)
