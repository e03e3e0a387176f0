"""Check an installation without extras: everything but the doors imports, and needs none."""

import importlib
import importlib.util
import pkgutil
import sys

import restream_async

EXTRAS = ("typer", "rich", "uvloop", "nats", "nkeys", "opentelemetry", "pytest")


def main() -> str | None:
    """Return what is wrong, or None."""
    if present := [name for name in EXTRAS if importlib.util.find_spec(name)]:
        return f"not a bare installation: it has {present}"
    if absent := [name for name in restream_async.__all__ if not hasattr(restream_async, name)]:
        return f"promised, but not there: {absent}"
    importlib.import_module("restream_async.sandbox")
    rooms = [module.name for module in pkgutil.iter_modules(restream_async.__path__)]
    print("rooms:", *rooms)
    return None


if __name__ == "__main__":
    sys.exit(main())
