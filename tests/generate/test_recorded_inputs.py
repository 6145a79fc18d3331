"""The parts and input images of a record: a record alone opens nothing outside the package and the chosen folders."""

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.files import images
from mindone_tcd.generate.inputs import Inputs, Source
from mindone_tcd.generate.plan import Extras
from mindone_tcd.generate.recorded_inputs import check_same_inputs, recorded_extras, recorded_inputs

PATH = Path("a.png")


def part(role="controlnet", kind="canny", place="package", name="controlnet_canny", weight=1.0, **others):
    return {"role": role, "kind": kind, "name": name, "from": place, "sha256": None, "weight": weight, **others}


def source(slot="image", name: str | None = "photo.png", kind="", scale=None, sha256="0" * 64):
    return {"slot": slot, "kind": kind, "name": name, "sha256": sha256, "scale": scale}


def extras(*parts, inputs=(), given=None, trust=False, shipped=True):
    record = {"parts": list(parts), "inputs": list(inputs)}
    return recorded_extras(record, PATH, given or {}, trust, shipped)


def test_a_record_without_parts_and_inputs():
    assert recorded_extras({}, PATH, {}, False, True) == Extras()
    assert recorded_inputs({}, PATH, [], False) == {}


def test_the_parts_of_the_package():
    assert extras(part()) == Extras(control=[("canny", None)])
    assert extras(part("t2i-adapter")) == Extras(t2i=[("canny", None)])
    assert extras(part("ip-adapter", "")) == Extras(ip_adapter=True)
    assert extras(part("style", "badge", weight=0.5)) == Extras(style=[("badge", 0.5)])


def test_the_order_of_networks_is_that_of_their_images():
    controls = [source("image"), source("control", kind="canny"), source("control", kind="depth-map")]
    found = extras(part(), part(kind="depth"), inputs=controls)
    assert found.control == [("canny", None), ("depth-map", None)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (part(kind="pose"), "says that the ControlNet 'pose' is in the package, but it is not"),
        (part("style", "/etc/passwd"), "says that the style LoRA '/etc/passwd' is in the package, but it is not"),
        (part("style", "../secret"), "says that the style LoRA '../secret' is in the package, but it is not"),
        (part("style", "owner/name"), "says that the style LoRA 'owner/name' is in the package, but it is not"),
        (part("motion", "zoom-out"), "says that the motion LoRA 'zoom-out' is in the package, but it is not"),
        (part("motion-adapter", "v3"), "says that the motion adapter 'v3' is in the package, but it is not"),
        (part("ip-adapter", "x"), "says that the IP-Adapter 'x' is in the package, but it is not"),
    ],
)
@pytest.mark.parametrize("trust", [False, True])
def test_parts_that_are_not_in_the_package(asked, message, trust):
    with pytest.raises(UsageError, match=message):
        extras(asked, trust=trust)


def test_parts_of_the_package_fit_its_models_only():
    with pytest.raises(
        UsageError, match="the ControlNet of the model 'shapes', which fits no other model; pass --part"
    ):
        extras(part(), shipped=False)
    assert extras(part(), shipped=False, given={"controlnet": "/mine"}) == Extras(control=[("canny", "/mine")])


ELSEWHERE = [
    (part(place="folder", name="mine", path="/models/mine"), "/models/mine"),
    (part(place="hub", name="owner/mine"), "owner/mine"),
]


@pytest.mark.parametrize(("asked", "location"), ELSEWHERE)
def test_other_parts_must_be_named_or_trusted(asked, location):
    with pytest.raises(UsageError, match="a record alone does not decide what is opened or downloaded") as caught:
        extras(asked)
    assert "--part controlnet=…, or add --trust-record" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert extras(asked, trust=True) == Extras(control=[("canny", location)])
    for role in ("controlnet", "controlnet:canny"):
        for trust in (False, True):
            assert extras(asked, given={role: "/given"}, trust=trust) == Extras(control=[("canny", "/given")])


def test_naming_one_part_does_not_allow_another():
    with pytest.raises(UsageError, match="names the IP-Adapter 'mine'"):
        extras(ELSEWHERE[0][0], part("ip-adapter", "", "folder", "mine"), given={"controlnet": "/given"})


def test_parts_of_one_role_by_their_kinds():
    asked = [part(kind=kind, place="hub", name=f"owner/{kind}") for kind in ("canny", "depth")]
    given = {"controlnet:depth": "/depth", "controlnet": "/canny"}
    assert extras(*asked, given=given) == Extras(control=[("canny", "/canny"), ("depth", "/depth")])


def test_a_folder_without_its_path():
    with pytest.raises(
        UsageError, match="has the name of the ControlNet, 'mine', but not its path; pass it with --part"
    ):
        extras(part(place="folder", name="mine"), trust=True)


def test_parts_that_the_record_does_not_have():
    with pytest.raises(UsageError, match=r"a\.png has no part 'style'; it has: controlnet, controlnet:canny"):
        extras(part(), given={"style": "/mine"})
    with pytest.raises(UsageError, match=r"has no part 'style'; it has: none"):
        extras(given={"style": "/mine"})


def test_a_record_with_two_parts_where_one_is_possible():
    with pytest.raises(UsageError, match="has several IP-Adapters; it cannot be used again"):
        extras(part("ip-adapter", ""), part("ip-adapter", ""))


@pytest.fixture
def place(tmp_path):
    """A folder with photo.png, inside another folder with secret.png."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "photo.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    return inner


def inputs(*sources, folders=(), trust=False, **numbers):
    return recorded_inputs({"inputs": list(sources), **numbers}, PATH, list(folders), trust)


def test_the_arguments_of_a_call(place):
    photo = str(place / "photo.png")
    found = inputs(source(), source("mask"), folders=[place], strength=0.5)
    assert found == {"image": photo, "mask": photo, "strength": 0.5}
    controls = [source("control", kind="canny", scale=0.5), source("control", kind="depth", scale=0.7)]
    assert inputs(*controls, folders=[place]) == {"control": [photo, photo], "control_scale": [0.5, 0.7]}
    assert inputs(source("reference", scale=0.2), folders=[place]) == {"reference": photo, "reference_scale": 0.2}
    assert inputs(frames=3) == {"frames": 3}


def test_the_first_folder_that_has_the_file(place, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"y")
    assert inputs(source(), folders=[tmp_path, place]) == {"image": str(tmp_path / "photo.png")}
    assert inputs(source(), folders=[tmp_path / "none", place]) == {"image": str(place / "photo.png")}


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "inner/../../secret.png",
        "..\\secret.png",
        "/etc/hosts",
        "~/secret.png",
        "..",
        ".",
        "",
        "/",
        "a\0b",
        "x" * 5000,
        "\x1b[2J\n.png",
    ],
)
def test_names_of_files_elsewhere_are_not_opened(place, monkeypatch, name):
    monkeypatch.chdir(place)
    with pytest.raises(UsageError, match=r"which is not in .*; pass its folder as --inputs") as caught:
        inputs(source(name=name), folders=[place, Path()])
    assert "\n" not in str(caught.value)


def test_only_the_last_part_of_a_name_counts(place):
    for name in ("/elsewhere/photo.png", "C:\\pictures\\photo.png", "../../photo.png"):
        assert inputs(source(name=name), folders=[place]) == {"image": str(place / "photo.png")}


def test_trusted_records_open_their_paths(place, tmp_path):
    secret = str(tmp_path / "secret.png")
    assert inputs(source(name=secret), folders=[place], trust=True) == {"image": secret}
    url = "https://example.org/photo.png"
    assert inputs(source(name=url), folders=[place], trust=True) == {"image": url}


def test_urls_and_pixels(place, monkeypatch):
    monkeypatch.setattr(images, "fetch", lambda *_: pytest.fail("something was downloaded"))
    with pytest.raises(UsageError, match=r"the image of a\.png is the URL 'https://e\.org/x\.png'; add --trust-record"):
        inputs(source(name="https://e.org/photo.png".replace("photo", "x")), folders=[place])
    for name in ("HTTP://example.org/photo.png", "ftp://example.org/photo.png", "file:///etc/photo.png"):
        with pytest.raises(UsageError, match="is the URL"):
            inputs(source(name=name), folders=[place])
    with pytest.raises(UsageError, match="the URL") as caught:
        inputs(source(name="http://\n\x1b[2J" + "x" * 5000), folders=[place])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    for trust in (False, True):
        with pytest.raises(UsageError, match=r"the mask of a\.png was passed as pixels, so there is no file to read"):
            inputs(source("mask", None), folders=[place], trust=trust)


def test_a_record_with_two_images_where_one_is_possible(place):
    with pytest.raises(UsageError, match=r"a\.png has several inputs image; it cannot be used again"):
        inputs(source(), source(), folders=[place])


def test_a_folder_with_the_name_of_a_file_is_not_the_file(place):
    os.mkdir(place / "folder.png")
    with pytest.raises(UsageError, match=r"'folder\.png', which is not in"):
        inputs(source(name="folder.png"), folders=[place])


def test_changed_files_are_refused(tmp_path):
    file = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(file)
    now = Inputs((Source("image", images.open_image(file, "image")),))
    same = hashlib.sha256(file.read_bytes()).hexdigest()
    check_same_inputs({"inputs": [source(sha256=same)]}, now)
    check_same_inputs({}, Inputs())
    with pytest.raises(
        UsageError, match=r"the image .*photo\.png' has changed since \(SHA-256 .*…, in the record 0000"
    ):
        check_same_inputs({"inputs": [source()]}, now)
