"""File names derive from the prompt in any script. They are safe, short enough, and never match an existing file."""

from pathlib import Path

import pytest
from PIL import Image

from mindone_tcd.errors import UsageError
from mindone_tcd.generate.generated_image import GeneratedImage
from mindone_tcd.generate.output_names import default_name, free, of_images, refuse_existing, save_new


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red circle on a blue background", "a-red-circle-on-a-blue-background-seed3.png"),
        ("红色的圆，蓝色背景", "红色的圆-蓝色背景-seed3.png"),
        ("Ein ROTER Kreis über Größe", "ein-roter-kreis-über-größe-seed3.png"),
        ("हिन्दी", "हिन्दी-seed3.png"),
        ("../../etc/passwd\0\n\x1b[31m", "etc-passwd-31m-seed3.png"),
        ("a\u202eb\ud800c", "a-b-c-seed3.png"),
        ("-rf *", "rf-seed3.png"),
        ("👩‍👧 …", "image-seed3.png"),
        ("", "image-seed3.png"),
    ],
)
def test_default_names(prompt, name):
    assert default_name(prompt, 3) == Path(name)


@pytest.mark.parametrize("prompt", ["x" * 1000, "圆" * 1000, "a" + "😀é" * 500, "é圆" * 300])
def test_default_names_are_bounded_in_bytes(prompt):
    name = default_name(prompt, 3).name
    assert len(name.encode()) <= 100
    assert name.endswith("-seed3.png")


def test_a_file_system_with_a_limited_character_set(monkeypatch):
    monkeypatch.setattr("sys.getfilesystemencoding", lambda: "latin-1")
    assert default_name("圆 rund ö", 0) == Path("rund-ö-seed0.png")


def test_the_files_of_a_run():
    out = Path("d/c.png")
    assert of_images(out, 1, False) == [out]
    assert of_images(out, 1, True) == [out, Path("d/c-grid.png")]
    assert of_images(out, 10, False)[0] == Path("d/c-01.png")


def test_a_name_is_chosen_for_all_files_of_a_run(tmp_path):
    out = tmp_path / "c.png"

    def files(name):
        return of_images(name, 2, True)

    assert free(out, files) == files(out)
    (tmp_path / "c-grid.png").touch()
    assert free(out, files) == files(tmp_path / "c-2.png")
    (tmp_path / "c-2-2.png").symlink_to(tmp_path / "nowhere")
    assert free(out, files) == files(tmp_path / "c-3.png")


def test_existing_files_are_refused(tmp_path):
    refuse_existing([tmp_path / "a.png"])
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"a\.png already exists; choose another name with --out, or add --overwrite"):
        refuse_existing([tmp_path / "b.png", tmp_path / "a.png"])


def test_a_file_created_during_the_work_loses_neither_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"of another process")
    image = GeneratedImage(Image.new("RGB", (8, 8)), {})
    assert save_new(image, path, overwrite=False) == tmp_path / "a-2.png"
    assert path.read_bytes() == b"of another process"
    assert save_new(image, path, overwrite=True) == path
