import enum

import pytest

from scm_operator.domain import errors, fields


class Colour(enum.StrEnum):
    """Something to choose from."""

    RED = "red"
    BLUE = "blue"


SPEC = fields.Fields(
    {
        "text": "a",
        "empty": "",
        "null": None,
        "number": 7,
        "flag": True,
        "object": {"inner": {"leaf": "b"}},
        "list": [{"leaf": "c"}, {"leaf": 1}],
        "colour": "blue",
    },
    "spec",
)


def complaint_of(error: pytest.ExceptionInfo[errors.InvalidResource]) -> str:
    """Return what a refusal says."""
    return str(error.value)


def test_values_are_read_as_they_are() -> None:
    """Each reader returns a value of its type unchanged."""
    assert (SPEC.text("text"), SPEC.optional_text("text")) == ("a", "a")
    assert (SPEC.number("number", default=0), SPEC.flag("flag", default=False)) == (7, True)
    assert SPEC.choice("colour", Colour, default=Colour.RED) is Colour.BLUE
    assert [item.path for item in SPEC.children("list")] == ["spec.list[0]", "spec.list[1]"]


def test_an_absent_field_is_its_default() -> None:
    """What isn't there is what the caller says, or nothing."""
    assert (SPEC.text("absent", default="d"), SPEC.optional_text("absent")) == ("d", None)
    assert (SPEC.number("absent", default=3), SPEC.flag("absent", default=True)) == (3, True)
    assert SPEC.choice("absent", Colour, default=Colour.RED) is Colour.RED
    assert (SPEC.children("absent"), SPEC.optional_child("absent")) == ((), None)


def test_an_optional_field_may_be_null() -> None:
    """A field that may be absent may be null as well."""
    assert (SPEC.optional_text("null"), SPEC.optional_child("null"), SPEC.children("null")) == (None, None, ())


@pytest.mark.parametrize("value", [None, "", 1, True, [], {}], ids=repr)
def test_text_is_a_non_empty_string(value: object) -> None:
    """Nothing but a string with something in it is a text."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected a non-empty string, found"):
        fields.Fields({"f": value}, "spec").text("f")


@pytest.mark.parametrize("value", [1.0, "1", True, [], {}], ids=repr)
def test_a_number_is_an_integer(value: object) -> None:
    """A boolean is no number, and neither is a fraction or a text."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected an integer, found"):
        fields.Fields({"f": value}, "spec").number("f", default=0)


@pytest.mark.parametrize("value", [0, 1, "true", [], {}], ids=repr)
def test_a_flag_is_a_boolean(value: object) -> None:
    """A number is no boolean, and neither is the word true."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected a boolean, found"):
        fields.Fields({"f": value}, "spec").flag("f", default=False)


@pytest.mark.parametrize("value", ["green", "RED", "", 1, [], {}], ids=repr)
def test_a_choice_is_one_of_its_values(value: object) -> None:
    """Whatever isn't one of the values is refused, and the message names them all."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected one of red, blue, found"):
        fields.Fields({"f": value}, "spec").choice("f", Colour, default=Colour.RED)


@pytest.mark.parametrize("value", [None, "a", 1, True, [], [{}]], ids=repr)
def test_an_object_is_no_other_type(value: object) -> None:
    """A required object must be there and be an object."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected an object, found"):
        fields.Fields({"f": value}, "spec").child("f")


@pytest.mark.parametrize("value", ["a", 1, True, {"a": 1}], ids=repr)
def test_a_list_is_no_other_type(value: object) -> None:
    """A list of objects must be a list."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected a list, found"):
        fields.Fields({"f": value}, "spec").children("f")


@pytest.mark.parametrize("value", ["", 0, False, {}], ids=repr)
def test_what_is_empty_is_no_list(value: object) -> None:
    """An empty value of another type isn't an empty list."""
    with pytest.raises(errors.InvalidResource, match=r"^spec.f: expected a list, found"):
        fields.Fields({"f": value}, "spec").children("f")


def test_a_complaint_names_the_whole_path() -> None:
    """A field is named from the top of the resource, through objects and lists."""
    with pytest.raises(errors.InvalidResource) as deep:
        SPEC.child("object").child("inner").text("missing")
    with pytest.raises(errors.InvalidResource) as listed:
        SPEC.children("list")[1].text("leaf")
    with pytest.raises(errors.InvalidResource) as top:
        fields.Fields({}).child("spec")

    assert complaint_of(deep) == "spec.object.inner.missing: expected a non-empty string, found NoneType"
    assert complaint_of(listed) == "spec.list[1].leaf: expected a non-empty string, found int"
    assert (top.value.field, complaint_of(top)) == ("spec", "spec: expected an object, found NoneType")


def test_a_complaint_never_shows_the_value() -> None:
    """What was found is told by its type: the value may be a password in the wrong place."""
    with pytest.raises(errors.InvalidResource) as refused:
        fields.Fields.of("s3cret", path="spec.auth")
    assert "s3cret" not in f"{refused.value!r} {refused.value}"


def test_a_repr_shows_no_values() -> None:
    """What is logged by mistake says where an object stands, not what is in it."""
    assert repr(fields.Fields({"password": "s3cret"}, "spec")) == "Fields(path='spec')"


def test_metadata_is_read() -> None:
    """Everything that the operator uses of an object's metadata is read."""
    metadata = {
        "namespace": "shop",
        "name": "shop-tls",
        "uid": "u",
        "resourceVersion": "12",
        "generation": 3,
        "deletionTimestamp": "2026-02-03T04:05:06Z",
        "annotations": {"a": "b"},
        "creationTimestamp": "2026-02-03T04:05:00Z",
        "finalizers": ["one", "other"],
    }
    assert fields.metadata_of({"metadata": metadata}) == fields.Metadata(
        "shop", "shop-tls", "u", "12", 3, True, {"a": "b"}, "2026-02-03T04:05:00Z", ("one", "other")
    )


def test_metadata_has_defaults() -> None:
    """A cluster-scoped object has no namespace; one without annotations isn't being deleted."""
    metadata = {"name": "default", "uid": "u", "resourceVersion": "1"}
    assert fields.metadata_of({"metadata": metadata}) == fields.Metadata("", "default", "u", "1", 1, False, {}, "", ())


@pytest.mark.parametrize("field", ["name", "uid", "resourceVersion"])
def test_metadata_must_be_complete(field: str) -> None:
    """An object without name, uid or version is none that came from an API server."""
    metadata = {"name": "default", "uid": "u", "resourceVersion": "1"}
    del metadata[field]
    with pytest.raises(errors.InvalidResource, match=rf"^metadata.{field}: "):
        fields.metadata_of({"metadata": metadata})


@pytest.mark.parametrize("finalizers", [2, True, 0.5])
def test_finalizers_are_a_list(finalizers: object) -> None:
    """Finalizers that are no list are refused with their path."""
    metadata = {"name": "default", "uid": "u", "resourceVersion": "1", "finalizers": finalizers}
    with pytest.raises(errors.InvalidResource, match=r"^metadata.finalizers: "):
        fields.metadata_of({"metadata": metadata})
