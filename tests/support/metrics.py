"""Metrics as a test reads them: parsed by the library that Prometheus' own text format has in Python."""

from collections.abc import Iterator

from prometheus_client import parser, samples


class Metrics:
    """One exposition."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._families = list(parser.text_string_to_metric_families(text))

    @property
    def kinds(self) -> dict[str, str]:
        """Return the type of each family, by the name that its samples are asked for."""
        return {family.name + ("_total" if family.type == "counter" else ""): family.type for family in self._families}

    def samples(self, name: str, **labels: str) -> Iterator[samples.Sample]:
        """Return the samples of a name that have these labels, and maybe others."""
        for family in self._families:
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    yield sample

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of all samples that match; 0 if there is none."""
        return sum(sample.value for sample in self.samples(name, **labels))

    def has(self, name: str, **labels: str) -> bool:
        """Say whether any sample matches."""
        return any(True for _ in self.samples(name, **labels))

    def label_names(self, name: str) -> set[str]:
        """Return the labels that the samples of a name have."""
        return {label for sample in self.samples(name) for label in sample.labels}
