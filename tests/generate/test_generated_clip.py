import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from mindone_tcd.errors import UsageError
from mindone_tcd.generate import generated_clip
from mindone_tcd.generate.any_record import read_any_record
from mindone_tcd.generate.generated_clip import GeneratedClip, check_clip_writable
from mindone_tcd.generate.gif_record import read_gif_record
from mindone_tcd.generate.png_record import read_record

RECORD = {"prompt": "ein roter Kreis, 红圆", "model": "a\udcffb", "seed": 3}


def moving(count: int = 5, fps: int = 8) -> GeneratedClip:
    """A square that moves over a background of 100 colors."""
    frames = []
    for k in range(count):
        pixels = np.zeros((20, 20, 3), np.uint8)
        pixels[..., 0] = np.arange(20)[:, None] // 2 * 25
        pixels[..., 1] = np.arange(20)[None] // 2 * 25
        pixels[3:8, k : k + 5] = (9, 200, 90)
        frames.append(Image.fromarray(pixels))
    return GeneratedClip(frames, RECORD, fps)


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as file:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]


def durations_of(path: Path) -> list[int]:
    with Image.open(path) as file:
        return [round(frame.info["duration"]) for frame in ImageSequence.Iterator(file)]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.apng", "a.GIF", "a.PNG"])
def test_frames_and_record_survive_saving(tmp_path, name):
    clip = moving()
    path = clip.save(str(tmp_path / name))
    assert path == tmp_path / name
    assert read_any_record(path) == RECORD
    assert (read_gif_record if name.lower().endswith(".gif") else read_record)(path) == RECORD
    for found, frame in zip(frames_of(path), clip.frames, strict=True):
        assert (found == np.asarray(frame)).all()  # 101 colors fit into one palette
    with Image.open(path) as file:
        assert file.info["loop"] == 0, "it should repeat endlessly"
    assert os.listdir(tmp_path) == [name]


def test_all_frames_of_a_gif_have_the_same_palette(tmp_path):
    dice = np.random.default_rng(0)
    still = dice.integers(0, 256, (32, 32, 3), np.uint8)
    frames = []
    for k in range(4):
        pixels = still.copy()
        pixels[:8] = dice.integers(0, 40 + 50 * k, (8, 32, 3), np.uint8)
        frames.append(Image.fromarray(pixels))
    path = GeneratedClip(frames, RECORD).save(tmp_path / "a.gif")
    found = frames_of(path)
    assert len(np.unique(np.concatenate(found).reshape(-1, 3), axis=0)) <= 256
    for frame in found:
        assert (frame[8:] == found[0][8:]).all(), "what stands still flickers"
        assert np.abs(frame[8:].astype(int) - still[8:]).mean() < 12  # the noise has 4,000 colors
    with Image.open(path) as file:
        assert path.read_bytes().count(bytes(file.getpalette())) == 1, "each frame has a palette of its own"


def test_durations_add_up(tmp_path):
    for fps, gif, png in ((8, [120, 130, 120, 130], [125] * 4), (30, [30, 30, 40, 30], [33, 33, 34, 33])):
        clip = moving(4, fps)
        assert durations_of(clip.save(tmp_path / "a.gif")) == gif
        assert durations_of(clip.save(tmp_path / "a.png")) == png
    assert sum(generated_clip._durations(50, 50, 10)) == 1000


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_frames_that_are_equal(tmp_path, name):
    """The formats store one frame for them, with the whole duration; a clip of one frame is an image."""
    frame = moving(1).frames[0]
    for count in (1, 3):
        path = GeneratedClip([frame] * count, RECORD).save(tmp_path / name)
        assert read_any_record(path) == RECORD
        assert [(found == np.asarray(frame)).all() for found in frames_of(path)] == [True]
    path = GeneratedClip([frame, frame, moving(2).frames[1]], RECORD).save(tmp_path / name)
    assert durations_of(path) == ([250, 120] if name == "a.gif" else [250, 125])


def test_frames_of_other_modes_are_converted(tmp_path):
    clip = GeneratedClip([Image.new("L", (8, 8), 3), Image.new("RGBA", (8, 8), "red")], RECORD)
    for name in ("a.gif", "a.png"):
        first, second = frames_of(clip.save(tmp_path / name))
        assert (first == 3).all()
        assert second[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        ([], 8, "a clip has no frames"),
        ([Image.new("RGB", (8, 8)), Image.new("RGB", (8, 16))], 8, r"have the sizes \(8, 8\) and \(8, 16\)"),
        ([Image.new("RGB", (8, 8))], 0, "fps is 0; expected an integer from 1 to 50"),
        ([Image.new("RGB", (8, 8))], 51, "fps is 51"),
        ([Image.new("RGB", (8, 8))], 7.5, "fps is 7.5"),
        ([Image.new("RGB", (8, 8))], True, "fps is True"),
    ],
)
def test_clips_that_are_refused(frames, fps, message):
    with pytest.raises(UsageError, match=message):
        GeneratedClip(frames, {}, fps)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.webm", r"clips are GIF, animated PNG or MP4 files; give a name that ends in \.gif or \.png or"),
        ("no/a.gif", "there is no folder"),
        ("folder.gif", "it is a folder"),
    ],
)
def test_paths_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "folder.gif").mkdir()
    for write in (check_clip_writable, moving().save):
        with pytest.raises(UsageError, match=message):
            write(tmp_path / name)


def test_paths_that_can_be_written(tmp_path):
    for name in ("a.gif", "b.png", "c.APNG"):
        check_clip_writable(tmp_path / name)
        check_clip_writable(str(tmp_path / name))
    with pytest.raises(UsageError, match="File name too long"):
        check_clip_writable(tmp_path / f"{'a' * 252}.gif")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_save_replaces_a_file_unless_overwrite_is_false(tmp_path, name, monkeypatch):
    path = tmp_path / name
    path.write_bytes(b"before")
    with pytest.raises(FileExistsError):
        moving().save(path, overwrite=False)

    def fail(*_args, **_options):
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(UsageError, match="disk full; choose another"):  # noqa: PT012
        patch.setattr(Image.Image, "save", fail)
        moving().save(path)
    assert path.read_bytes() == b"before"
    moving().save(path)
    assert read_any_record(path) == RECORD
    assert os.listdir(tmp_path) == [name]


@pytest.fixture
def ffmpeg(tmp_path_factory, monkeypatch):
    """A function that replaces ffmpeg by a Python script. Its last argument is the file to write."""

    def use(script: str) -> None:
        program = tmp_path_factory.mktemp("bin") / "ffmpeg"
        program.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
        program.chmod(0o755)
        package = types.ModuleType("imageio_ffmpeg")
        package.get_ffmpeg_exe = lambda: str(program)
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)

    return use


def test_an_mp4_file_is_what_ffmpeg_makes_of_the_pixels(tmp_path, ffmpeg):
    ffmpeg("open(sys.argv[-1], 'wb').write(' '.join(sys.argv[1:-1]).encode() + sys.stdin.buffer.read())")
    path = tmp_path / "a.mp4"
    check_clip_writable(path)
    clip = moving(fps=7)
    content = clip.save(path).read_bytes()
    assert content.endswith(b"".join(frame.tobytes() for frame in clip.frames))
    assert b"-pix_fmt rgb24 -s 20x20 -r 7 -i -" in content
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert os.listdir(generated_clip._folder()) == []
    with pytest.raises(FileExistsError):
        clip.save(path, overwrite=False)


def test_a_failure_of_ffmpeg_keeps_the_existing_file(tmp_path, ffmpeg):
    ffmpeg("sys.exit('several\\nlines\\nno space left')")
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")
    with pytest.raises(UsageError, match=r"cannot write .*a\.mp4: ffmpeg failed: 'no space left'; choose another"):
        moving().save(path)
    assert path.read_bytes() == b"before"
    ffmpeg("sys.exit(3)")
    with pytest.raises(UsageError, match="ffmpeg failed: 3"):
        moving().save(path)
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert os.listdir(generated_clip._folder()) == []


def test_an_mp4_file_without_its_package(tmp_path, monkeypatch):
    message = r"a\.mp4: MP4 files need imageio-ffmpeg \(.*\); install it with 'pip install imageio-ffmpeg', or .*\.gif"
    package = types.ModuleType("imageio_ffmpeg")

    def missing():
        raise RuntimeError("No ffmpeg exe could be found.\nInstall it.")

    package.get_ffmpeg_exe = missing
    for module in (None, package):
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", module)
        for write in (check_clip_writable, moving().save):
            with pytest.raises(UsageError, match=message) as caught:
                write(tmp_path / "a.mp4")
            assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_an_mp4_file_needs_even_sizes(tmp_path):
    with pytest.raises(UsageError, match="the frames have 9x8 pixels, but MP4 needs even numbers; give a name"):
        GeneratedClip([Image.new("RGB", (9, 8))], {}).save(tmp_path / "a.mp4")


def test_an_mp4_file_of_the_real_package(tmp_path):
    package = pytest.importorskip("imageio_ffmpeg")
    clip = moving()
    path = clip.save(tmp_path / "a.mp4")
    ran = subprocess.run(
        [package.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    )
    found = np.frombuffer(ran.stdout, np.uint8).reshape(5, 20, 20, 3)
    sent = np.stack([np.asarray(frame) for frame in clip.frames])
    assert np.abs(found.astype(int) - sent).mean() < 20  # lossy, and the colors have half the resolution
