"""What the model sees and the operator can't: who wanted what, which POSTs are under way, and what was told of."""

import collections

from tests.support import model_ops

Content = tuple[str, str, bool]
"""Where, the hash of the DER, and whether a key went along."""


class Attention:
    """Ground truth, noted as it happens; everything by uid."""

    def __init__(self, wire: model_ops.Wire) -> None:
        self._wire = wire
        self.bugs: list[str] = []
        self.posts: list[tuple[model_ops.Op, str]] = []
        self.orphans: dict[str, list[str]] = collections.defaultdict(list)
        self.places: dict[str, set[str]] = collections.defaultdict(set)
        self.digests: dict[str, set[str]] = collections.defaultdict(set)
        self.keys: dict[str, set[bool]] = collections.defaultdict(set)
        self.adopts: set[str] = set()
        self.deletes: set[str] = set()
        self.confirmed: set[str] = set()
        self.adoptable: dict[str, str] = {}
        """The foreign entry that was there, and to be taken over, when a resource (by uid) was made."""
        self.kept: set[str] = set()
        """Ids of entries whose resource was deleted with the policy Retain."""
        self.mixed_up: set[str] = set()
        """Digests of CSRs of which an entry was taken for another's, as docs/guarantees.md leaves open."""
        self.renamed_back: set[str] = set()
        """Uids whose wanted name became that of their record again: a rename may have been done in between."""

    def ever_wanted(self, content: Content) -> list[str]:
        """Return the uids that may have wanted a content, by parts of the spec and the Secret as they ever were."""
        place, digest, with_key = content
        return [
            uid
            for uid, places in self.places.items()
            if place in places and digest in self.digests[uid] and with_key in self.keys[uid]
        ]

    def posts_that_count(self) -> collections.Counter[str]:
        """Return how many POSTs of each uid can still be stored."""
        self.posts = [(op, uid) for op, uid in self.posts if op in self._wire.ops]
        return collections.Counter(uid for op, uid in self.posts if not op.applied)
