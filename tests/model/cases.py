"""Interleavings, each with the rule without which it goes wrong; how steps are named is in model_world."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """``rule`` is a name in model_knock_outs.ALL; ``steps`` are as model_explorer.script reads them."""

    name: str
    rule: str
    steps: str


_UPLOAD_A = "create a A x; hear a; hear a; op do lease;"
_ANEW_WITH_KEY = "delete a; create a A x key; hear a; hear a;"
_TWO_TWINS = "create a A x; create b A x; hear a; hear a; hear b; hear b; op do lease; op do lease;"
_FENCE_BOTH = "op do status a 2; op do status b 2; op do status a 2; op do status b 2; time 61; time 5;"

COUNTEREXAMPLES = (
    Case(
        "1: a late status write lands on a resource whose entry a twin has by then",
        "row 9, for itself and for twins",
        f"start; {_TWO_TWINS} op late post a; op fail post b; op do post a; crash; start; {_FENCE_BOTH} op do list a 2;"
        "crash; start; op do status b 3; op do status b 3; time 61; op lose list a 3; op do list b 3; op do status b 3;"
        "op do status a 2",
    ),
    Case(
        "2: the old leader reads again after the fence, and writes an id that the twin has",
        "neither row 1 nor the lease check before a status write",
        "start; create a A x; create b A x; hear b; hear b; hear a; hear a; op do lease; op do lease; op do post a;"
        "op fail post b; cut; time 16; start; op do status a 2; op do status b 2; time 61; op do status b 2;"
        "op do status a 2; op do list b 2; op do status b 2; hear a 1; hear a 1; time 31; op do status a 1",
    ),
    Case(
        "3: an attempt whose id is recorded still stands in the journal at a crash",
        "records carry the attempt's id",
        f"start; {_TWO_TWINS} op do post a; op do status a; op lose post b; crash; start",
    ),
    Case(
        "4: a concluded attempt stands in the journal beside a new one",
        "concluded attempts leave with the adding write",
        "start; create a A x; hear a; hear a; op apply lease; suspend a; suspend a; hear a; hear a; op answer lease;"
        "op do lease; op lose post a; create b A x; hear b; hear b; op do lease; op lose post b; crash; start;"
        "op do status a 2; op do status b 2; op do status a 2; op do status b 2; time 61; op do list a 2;"
        "op lose list b 2; op do status a 2; op do list a 2",
    ),
    Case(
        "5: the journal forgets the attempt of a resource that is made anew with a key",
        "attempts of the gone stay until settled",
        f"start; {_UPLOAD_A} op late post a; {_ANEW_WITH_KEY} op do status a; op do read a; op do lease; op do post a;"
        "op fail post a",
    ),
    Case(
        "6: content goes from A to B and back, with a restart in between",
        "wanted.in_history",
        "start; create a A x; drain; content a B; drain; crash; start; content a A",
    ),
    Case(
        "7: renamed while the outcome is unknown",
        "looked up under the attempt's own name",
        f"start; {_UPLOAD_A} op lose post a; rename a y",
    ),
    Case(
        "7: moved to another account while the outcome is unknown",
        "looked up with the attempt's own tenant",
        f"start; {_UPLOAD_A} op lose post a; move a two",
    ),
    Case(
        "8: a twin's recorded entry is found",
        "claims",
        f"start; {_UPLOAD_A} create b A x; hear b; hear b; op do post a; op do status a; op do lease; op fail post b",
    ),
    Case(
        "8: a twin's POST is sent while a look-up runs",
        "group lock",
        f"start; {_UPLOAD_A} op fail post a; op do status a; time 61; create b A x; hear b; hear b; op do lease;"
        "op apply post b; op do list a; op answer post b",
    ),
    Case(
        "8: a POST is stored after it was looked for",
        "settle time",
        f"start; {_UPLOAD_A} op late post a; op do status a; time 1; op do list a; op do post a",
    ),
    Case(
        "8: a twin's POST is still under way when the own one has settled",
        "settle time of the whole group",
        f"start; {_UPLOAD_A} op fail post a; op do status a; time 31; time 5; create b A x; hear b; hear b;"
        "op do lease; time 24; op apply post b; time 1; op do list a; op answer post b",
    ),
    Case(
        "9: a person's older entry has the same name and CSR",
        "not older than the attempt",
        f"start; foreign one x A; {_UPLOAD_A} op fail post a",
    ),
    Case(
        "10: a watch that begins again shows an old resource",
        "a relist makes nothing new",
        f"start; {_UPLOAD_A} op lose post a; op do status a; relist",
    ),
    Case(
        "11: a namesake is made before the id is written",
        "uid precondition",
        f"start; {_UPLOAD_A} op do post a; delete a; create a A x key; op do status a",
    ),
)

REGRESSIONS = (
    Case(
        "a rename while the POST is in flight is not lost",
        "a rename that is due is seen",
        f"start; {_UPLOAD_A} rename a y; hear a; op do post a; op do status a",
    ),
    Case(
        "the entry of a resource that is gone is not taken for that of its namesake with a key",
        "departed ids",
        f"start; {_UPLOAD_A} op do post a; op do status a; {_ANEW_WITH_KEY} hear a; op do lease; op fail post a",
    ),
    Case(
        "a former leader deletes no entry that is another's by now",
        "nothing is let go without the Lease",
        "start; create a A x delete; hear a; hear a; op do finalizers a; op do lease; op do post a; create b A x;"
        f"hear b; hear b; op do lease; op fail post b; cut; time 16; start; {_FENCE_BOTH} op lose list a 2;"
        "op do list b 2; op do status b 2; delete a; quiet 200",
    ),
    Case(
        "a request for a fresh look outlives the wait for an outcome",
        "a wait uses up no request",
        "start; create a A x; drain; content a B; hear a; op do lease; op fail post a; content a A; hear a;"
        "op do status a; vanish a; request a; hear a; hear a; op do status a; quiet 200",
    ),
    Case(
        "nobody adopts what a twin's unresolved attempt may have made",
        "adoption waits for other attempts",
        f"start; {_UPLOAD_A} op do post a; crash; create b A x adopt; start; op do status b 2; time 61; op do list b 2;"
        "op do status b 2; op do status a 1",
    ),
)

RULES = (
    Case(
        "a former leader renames nothing",
        "memory.not_leading",
        f"start; {_UPLOAD_A} op do post a; op do status a; cut; time 16; rename a y; rename a z; start;"
        "op do rename a 2; op do status a 2; hear a 1; hear a 1; op do rename a 1; crash 1",
    ),
    Case("what is recorded is concluded", "memory.recorded", "start; create a A x; quiet 100"),
    Case("an id in memory is written", "memory.claimed", "start; create a A x; quiet 100"),
    Case(
        "moved while it is journaled",
        "memory.not_wanted_any_more",
        "start; create a A x; hear a; hear a; op apply lease; move a two; hear a; op answer lease; op do post a",
    ),
    Case("what is journaled is sent", "memory.send", "start; create a A x; quiet 100"),
    Case(
        "deleted after the policy became Retain",
        "deletion.nothing_to_wait_for",
        "start; create a A x delete; drain; policy a; delete a",
    ),
    Case(
        "no deletion waits for ever",
        "deletion.overdue",
        "start; create a A x delete; hear a; hear a; op do finalizers a; op do lease; op lose post a; permission off;"
        "time 61; time 5; drain; delete a; quiet 700",
    ),
    Case(
        "a deletion takes the entries along",
        "deletion.entries",
        "start; create a A x delete; drain; delete a; quiet 300",
    ),
    Case(
        "a POST is stored after it was looked for",
        "unknown.unsettled",
        f"start; {_UPLOAD_A} op late post a; op do status a; time 1; op do list a; op do post a",
    ),
    Case("an unknown outcome is looked up", "unknown.not_asked", f"start; {_UPLOAD_A} op lose post a; quiet 200"),
    Case("an answer is used", "unknown.answered", f"start; {_UPLOAD_A} op lose post a; quiet 200"),
    Case("a deletion comes to an end", "deletion.deleting", "start; create a A x delete; drain; delete a; quiet 300"),
    Case(
        "the finalizer is there before the entry",
        "wanted.finalizer",
        "start; create a A x delete; drain; delete a; drain",
    ),
    Case(
        "suspended, and then its content changes",
        "wanted.suspended",
        "start; create a A x; drain; suspend a; drain; content a B; quiet 100",
    ),
    Case("an entry is gone", "wanted.gone", "start; create a A x; drain; vanish a; request a; quiet 300"),
    Case("nothing to do", "wanted.settled", "start; create a A x; quiet 100"),
    Case("what is wanted is there", "wanted.held", "start; create a A x; drain; touch a; request a; quiet 100"),
    Case("an entry is to be adopted", "wanted.adoption", "start; foreign one x A; create a A x adopt; quiet 100"),
    Case(
        "another's POST with the same name and CSR, but a key",
        "wanted.rival",
        f"start; {_UPLOAD_A} op late post a; create b A x key; hear b; hear b; op do lease; op fail post b; delete a;"
        "hear a; op do post a; time 61; time 5; quiet 200",
    ),
    Case("surely absent", "row 13 (surely absent)", f"start; {_UPLOAD_A} op fail post a; quiet 200"),
    Case(
        "not permitted to look", "row 14 (can't tell)", f"start; {_UPLOAD_A} op lose post a; permission off; quiet 200"
    ),
    Case(
        "a person has confirmed",
        "row 14 (confirmed)",
        f"start; {_UPLOAD_A} op lose post a; permission off; time 61; drain; time 5; drain; confirm a; quiet 100",
    ),
    Case(
        "a late write on a twin that isn't fenced",
        "unfenced twins",
        "start; create a A x; hear a; hear a; create b A x; hear b; hear b; op do lease; op do post a; op do lease;"
        "op fail post b; crash; start; op do status b 2; op do status b 2; time 61; op do list b 2; op do status b 2;"
        "op do status a 1",
    ),
    Case(
        "a late write after the fence",
        "resourceVersion precondition",
        f"start; {_TWO_TWINS} op do post a; op fail post b; crash; start; {_FENCE_BOTH} op lose list a 2;"
        "op do list b 2; op do status b 2; op do status a 1",
    ),
)

ALL = COUNTEREXAMPLES + REGRESSIONS + RULES
