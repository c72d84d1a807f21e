"""What users do in a crash run: the resources, and what they change about them."""

import dataclasses
import random
from typing import Literal

Policy = Literal["Retain", "Delete"]
Room = Literal["a", "b"]
Kind = Literal["CertificateRequestUpload", "ScmAccount", "Secret"]


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    """What is uploaded: a CSR, by its name in the run, and whether its key goes along."""

    csr: str
    key: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a user applies; ``room`` is one of the run's two namespaces, of which the second goes as a whole."""

    name: str
    scm_name: str
    content: Content
    secret: str
    room: Room = "a"
    deletion: Policy = "Retain"
    adopts: bool = False
    foreign: bool = False
    """Whether somebody else has made an entry of this name and CSR long before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Apply:
    """A user applies a resource, and its Secret."""

    resource: Resource


@dataclasses.dataclass(frozen=True, slots=True)
class Delete:
    """A user deletes a resource."""

    resource: Resource


@dataclasses.dataclass(frozen=True, slots=True)
class Recreate:
    """A user deletes a resource and makes one of the same name as soon as it has gone."""

    resource: Resource


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteNamespace:
    """A whole namespace is deleted at once; its kinds go in this order."""

    room: Room
    order: tuple[Kind, ...]


Change = Apply | Delete | Recreate | DeleteNamespace


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """Everything that is done in a run, in order."""

    resources: tuple[Resource, ...]
    changes: tuple[Change, ...]


def make(dice: random.Random, *, adopts: bool) -> Work:
    """Roll a workload; each has every kind of trouble in it."""
    prefix = "x" * 32 if dice.random() < 0.2 else ""  # the list's filter is cut at 32 characters

    def resource(name: str, **fields: object) -> Resource:
        made = Resource(name=name, scm_name=prefix + name, content=Content(f"{name}-1"), secret=name)
        return dataclasses.replace(made, **fields)  # type: ignore[arg-type]

    def policy() -> Policy:
        return dice.choice(("Retain", "Delete"))

    shared = Content("twin-1", key=dice.random() < 0.5)
    twins = [
        resource(name, scm_name=f"{prefix}twin", content=shared, deletion=policy()) for name in ("twin-a", "twin-b")
    ]
    changing = {name: resource(name, deletion=policy()) for name in ("swing", "keyed", "renamed", "again")}
    changing["gone"] = resource("gone", deletion="Delete")
    resources = [
        *twins,
        *changing.values(),
        resource("foreign", foreign=True),
        resource("doomed-kept", room="b"),
        resource("doomed", room="b", deletion="Delete"),
    ]
    if adopts:
        resources.append(resource("adopter", foreign=True, adopts=True))
    dice.shuffle(resources)
    return Work(tuple(resources), tuple(_changes(dice, changing, prefix=prefix)))


def _changes(dice: random.Random, of: dict[str, Resource], *, prefix: str) -> list[Change]:
    swing, keyed, renamed, again = of["swing"], of["keyed"], of["renamed"], of["again"]
    anew = again if dice.random() < 0.5 else dataclasses.replace(again, content=Content("again-2"), secret="again-2")  # noqa: S106
    kinds: tuple[Kind, ...] = ("CertificateRequestUpload", "ScmAccount", "Secret")
    sequences: list[list[Change]] = [
        [Apply(dataclasses.replace(swing, content=Content("swing-2"))), Apply(swing)],
        [Apply(dataclasses.replace(keyed, content=Content("keyed-1", key=True)))],
        [Apply(dataclasses.replace(renamed, scm_name=f"{prefix}renamed-anew"))],
        [Recreate(anew)],
        [Delete(of["gone"])],
        [DeleteNamespace("b", tuple(dice.sample(kinds, 3)))],
    ]
    return _interleaved(dice, sequences)


def _interleaved(dice: random.Random, sequences: list[list[Change]]) -> list[Change]:
    """Mix sequences; each keeps its own order."""
    left, mixed = [list(each) for each in sequences], []
    while left := [each for each in left if each]:
        mixed.append(dice.choice(left).pop(0))
    return mixed
