"""Everything under deploy/ that follows from something else: ``python -m dev.manifests write`` makes it, ``check``
tells whether it is up to date.

From crds/ follow the chart's CRDs; from the chart's values.schema.json its values.yaml and the table in its README;
from the chart the kustomization and install.yaml.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev import chart_manifests, chart_values, golang, helm, toolchain

CHECKOUT = Path(__file__).resolve().parents[1]

_MADE_FOLDERS = ("deploy/chart/files/crds", "deploy/kustomize")
"""Folders that hold nothing else."""

_BEGIN, _END = "<!-- values: made by `make manifests` -->\n", "<!-- end of values -->\n"

Files = Mapping[str, str]


class NoTableError(Exception):
    """The README has no place for the table of values."""


def sources(checkout: Path) -> Files:
    """Return what the chart is made of that follows from elsewhere, by path.

    Raises:
        chart_values.SchemaError: A value can't be written down.
        NoTableError: The README lacks the two lines between which the table stands.

    """
    crds = {f"deploy/chart/files/crds/{path.name}": path.read_text() for path in (checkout / "crds").glob("*.yaml")}
    chart = checkout / "deploy" / "chart"
    values = chart_values.read((chart / "values.schema.json").read_text())
    return {
        **crds,
        "deploy/chart/values.yaml": chart_values.values_yaml(values),
        "deploy/chart/README.md": _with_table((chart / "README.md").read_text(), chart_values.table(values)),
    }


def _with_table(readme: str, table: str) -> str:
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise NoTableError(f"deploy/chart/README.md needs the lines {_BEGIN.strip()!r} and {_END.strip()!r}")
    return f"{before}{begin}\n{table}\n{end}{after}"


def rendered(checkout: Path) -> Files:
    """Return what follows from the chart as it stands there, by path.

    Raises:
        helm.HelmError: The chart can't be rendered.
        chart_manifests.ManifestError: There is no overlay for it.

    """
    chart = checkout / "deploy" / "chart"
    program = toolchain.obtain(["helm"])["helm"]
    with tempfile.TemporaryDirectory() as home:
        own = helm.Helm(program=program, home=Path(home))
        cluster_wide = chart_manifests.documents(own.template({}, chart=chart))
        here = {"watchNamespaces": [chart_manifests.NAMESPACE]}
        namespaced = chart_manifests.documents(own.template(here, chart=chart))
    files = chart_manifests.kustomization(cluster_wide, namespaced)
    return {
        "deploy/install.yaml": chart_manifests.install(cluster_wide),
        **{f"deploy/kustomize/{name}": text for name, text in files.items()},
    }


def differences(checkout: Path, files: Files) -> list[str]:
    """Return the paths of files that aren't as they should be, or are there and should not."""
    wrong = [name for name, text in files.items() if _read(checkout / name) != text]
    return sorted([*wrong, *surplus(checkout, files)])


def surplus(checkout: Path, files: Files) -> list[str]:
    """Return the paths of files in our folders that follow from nothing, of the folders that the files are about."""
    folders = [folder for folder in _MADE_FOLDERS if any(name.startswith(folder) for name in files)]
    found = (path for folder in folders for path in (checkout / folder).rglob("*") if path.is_file())
    return sorted({str(path.relative_to(checkout)) for path in found} - files.keys())


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def write(checkout: Path) -> None:
    """Make everything anew; the chart first, since the rest is rendered from it."""
    for make in (sources, rendered):
        files = make(checkout)
        for name in differences(checkout, files):
            path = checkout / name
            if name in files:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(files[name])
            else:
                path.unlink()
            print(f"{'wrote' if name in files else 'removed'} {name}")


def check(checkout: Path) -> int:
    """Print what is not up to date; return 1 then, else 0."""
    wrong = differences(checkout, sources(checkout)) or differences(checkout, rendered(checkout))
    if not wrong:
        return 0
    print("Not up to date; `make manifests` makes them anew, commit the result:\n")
    print("\n".join(f"  {name}" for name in wrong))
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.manifests", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("write", "check"))
    command = parser.parse_args(arguments).command
    try:
        if command == "check":
            return check(CHECKOUT)
        write(CHECKOUT)
    except (
        chart_values.SchemaError,
        chart_manifests.ManifestError,
        NoTableError,
        helm.HelmError,
        golang.NoGoError,
        golang.BuildError,
    ) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
