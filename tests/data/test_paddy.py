"""The rice pictures: found in five places, decoded once and safely, look-alikes grouped.

Everything that does not fit is named.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

import helpers.data.paddy
from helpers.data.find import DataUnavailable
from helpers.data.paddy import COMPETITION, decoded, look_alikes, paddy, thumbnails

ROWS = [
    ("100001.jpg", "blast", "ADT45", "60"),
    ("100002.jpg", "blast", "RR", "60"),
    ("100003.jpg", "normal", "ADT45", "45"),
    ("100004.jpg", "tungro", "ADT45", "70"),
]


def write_picture(path, seed=0, size=(48, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(path)


def make(folder, rows=ROWS):
    "A tiny competition."
    for n, (name, label, *_) in enumerate(rows):
        write_picture(folder / "train_images" / label / name, n)
    for n in (1, 2):
        write_picture(folder / "test_images" / f"20000{n}.jpg", 10 + n)
    write_table(folder, rows)
    (folder / "sample_submission.csv").write_text("image_id,label\n200001.jpg,\n200002.jpg,\n")
    return folder


def write_table(folder, rows, columns="image_id,label,variety,age"):
    (folder / "train.csv").write_text("\n".join([columns, *map(",".join, rows)]) + "\n")


@pytest.fixture
def rice(learner, tmp_path, monkeypatch):
    "A data folder with a tiny competition."
    monkeypatch.setenv("HELPERS_DATA", str(tmp_path / "mine"))
    return make(tmp_path / "mine" / COMPETITION)


@pytest.fixture
def strict(learner):
    (learner / "settings.ini").write_text("[learner]\noffline = require-real\n")


# What is there


def test_table_and_pictures_agree(rice, capsys):
    plants = paddy(size=(64, 48))
    assert plants.table.image_id.tolist() == [name for name, *_ in ROWS]
    assert plants.table.age.tolist() == [60, 60, 45, 70]
    assert plants.labels == ["blast", "normal", "tungro"]
    assert plants.y.tolist() == [0, 0, 1, 2]
    assert plants.varieties == ["ADT45", "RR"]
    assert plants.pictures.shape == (4, 3, 64, 48)
    assert plants.pictures.dtype == torch.uint8
    assert len(plants.test) == len(plants.test_pictures) == 2
    assert plants.sample.columns.tolist() == ["image_id", "label"]
    assert (plants.problems, plants.remarks) == ({}, [])
    for path, picture in zip(plants.table.path, plants.pictures):
        assert (np.asarray(Image.open(path)) == picture.permute(1, 2, 0).numpy()).all()
    line = "Paddy Doctor: 4 photographs of 3 diseases, 2 varieties (data folder)\n"
    assert capsys.readouterr().out == line


NAMES = {
    "rows without an image": "100002.jpg",
    "images without a row": "100099.jpg",
    "rows with an unknown label": "100004.jpg",
    "rows without an age": "100004.jpg",
    "rows of an image that is there already": "100001.jpg",
    "images that cannot be read": "100002.jpg",
}


def spoil(folder, kind):
    "Bring a fault of that kind into the folder; its file is the one in NAMES."
    image = folder / "train_images" / "blast" / NAMES[kind]
    if kind == "rows without an image":
        image.unlink()
    if kind == "images without a row":
        write_picture(image)
    if kind == "rows with an unknown label":
        write_table(folder, [*ROWS[:3], ("100004.jpg", "tungroo", "ADT45", "70")])
    if kind == "rows without an age":
        write_table(folder, [*ROWS[:3], ("100004.jpg", "tungro", "ADT45", "")])
    if kind == "rows of an image that is there already":
        write_table(folder, [*ROWS, ROWS[0]])
    if kind == "images that cannot be read":
        image.write_bytes(b"\xff\xd8 no picture")


@pytest.mark.parametrize("kind", NAMES)
def test_what_does_not_fit_is_named_and_skipped(rice, kind, capsys):
    spoil(rice, kind)
    plants = paddy(size=32)
    assert plants.problems == {kind: [NAMES[kind]]}
    assert f"  skipped: {kind}: 1 ({NAMES[kind]})\n" in capsys.readouterr().out
    nothing_lost = kind in ("images without a row", "rows of an image that is there already")
    assert len(plants.table) == len(plants.pictures) == (4 if nothing_lost else 3)


@pytest.mark.parametrize("kind", NAMES)
def test_what_does_not_fit_can_be_refused(rice, kind):
    spoil(rice, kind)
    with pytest.raises(ValueError, match=f"{kind}: 1 .{NAMES[kind]}"):
        paddy(size=32, on_problem="refuse")


@pytest.mark.parametrize("cut", [100, 1500])
def test_cut_off_picture(rice, cut):
    path = rice / "train_images" / "blast" / "100002.jpg"
    path.write_bytes(path.read_bytes()[:cut])
    plants = paddy(size=32)
    assert plants.problems == {"images that cannot be read": ["100002.jpg"]}
    assert plants.table.image_id.tolist() == ["100001.jpg", "100003.jpg", "100004.jpg"]
    deviations = plants.pictures.float().std((1, 2, 3))
    assert (deviations > 1).all(), "none of them is an empty row of the file"


def test_corrupt_test_picture(rice):
    (rice / "test_images" / "200001.jpg").write_bytes(b"no")
    assert list(paddy(size=32).test.image_id) == ["200002.jpg"]


def test_no_test_pictures(rice):
    shutil.rmtree(rice / "test_images")
    plants = paddy(size=32)
    assert len(plants.test) == 0
    assert plants.test_pictures.shape == (0, 3, 32, 32)


def test_missing_column(rice):
    write_table(rice, [row[:3] for row in ROWS], "image_id,label,variety")
    with pytest.raises(ValueError, match="no column age"):
        paddy()


def test_diseases_with_few_pictures_can_be_left_out(rice, capsys):
    plants = paddy(size=32, least=2)
    assert plants.labels == ["blast"]
    assert plants.y.tolist() == [0, 0]
    assert "  left out: 2 diseases with fewer than 2 pictures\n" in capsys.readouterr().out
    with pytest.raises(ValueError, match="Ask for fewer"):
        paddy(least=3)


def test_nothing_is_left_out_where_every_disease_has_enough(rice, capsys):
    spoil(rice, "images that cannot be read")
    assert len(paddy(size=32, least=1).table) == 3
    assert "left out" not in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [dict(method="stretch"), dict(on_problem="ignore")])
def test_wrong_choice(rice, wrong):
    with pytest.raises(ValueError, match=f"{list(wrong.values())[0]}.*hoose"):
        paddy(**wrong)


def test_reduced_set_says_so(rice, capsys):
    without_image = [(f"1001{n:02}.jpg", "hispa", "RR", "50") for n in range(9)]
    write_table(rice, ROWS + without_image)
    paddy(size=32)
    assert "a reduced set" in capsys.readouterr().out


# Where it is found


def test_order_of_places(learner, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    inputs = tmp_path / "input"
    cache = learner / "data" / "cache" / COMPETITION
    monkeypatch.setenv("HELPERS_KAGGLE_INPUT", str(inputs))
    make(cache)
    assert paddy(size=32).source == "cache"
    make(inputs / "competitions" / COMPETITION)
    assert paddy(size=32).source == "Kaggle's input"
    make(mine / "paddy-small")
    monkeypatch.setenv("HELPERS_DATA", str(mine))
    assert paddy(size=32).source == "data folder"


def test_incomplete_folder_is_passed_over(rice, strict):
    (rice / "sample_submission.csv").unlink()
    with pytest.raises(DataUnavailable, match="no sample_submission.csv in it"):
        paddy()


def test_stand_in_says_why(learner, capsys):
    plants = paddy(size=32)
    assert plants.name == "stand-in leaves"
    assert "no Kaggle token" in plants.note
    assert len(plants.labels) == len(plants.varieties) == 10
    absent = "The photographs themselves were not to be had"
    line = f"{plants}. {absent}; `.note` says why and where to put them.\n"
    assert capsys.readouterr().out == line


def test_without_kagglehub(learner, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    make(learner / "data" / "cache" / "stand-in-leaves")  # as if they had been drawn
    plants = paddy(size=32)
    assert plants.name == "stand-in leaves"
    assert "kagglehub: it is not installed" in plants.note
    assert "add the competition under Input" in plants.note


@pytest.mark.parametrize(
    "kind", ["CredentialError", "NotFoundError", "ColabEnvironmentError", "UserCancelledError"]
)
def test_whatever_kagglehub_raises_is_a_reason(strict, monkeypatch, kind):
    import kagglehub

    def fails(*args, **kwargs):
        raise getattr(kagglehub.exceptions, kind)("no secret")

    monkeypatch.setattr(kagglehub, "competition_download", fails)
    with pytest.raises(DataUnavailable, match=rf"kagglehub: it failed \({kind}: no secret\)"):
        paddy()


def test_on_kaggle_the_competition_is_asked_for_under_input(strict, monkeypatch):
    "kagglehub would wait for ever for a mount that never comes."
    import kagglehub

    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")

    def called(*args, **kwargs):
        pytest.fail("kagglehub was called")

    monkeypatch.setattr(kagglehub, "competition_download", called)
    with pytest.raises(DataUnavailable, match="add the competition under Input"):
        paddy()


class Kaggle(BaseHTTPRequestHandler):
    "Answers every request with the competition's archive, or with the fault it was given."

    def do_GET(self):
        fault = self.server.fault
        archive = self.server.archive
        if isinstance(fault, int):
            return self.send_error(fault)
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(archive)))
        self.send_header("Last-Modified", "Mon, 02 May 2022 00:00:00 GMT")
        self.end_headers()
        if fault == "cut":
            self.wfile.write(archive[: len(archive) // 2])
        elif fault == "wrong":
            self.wfile.write(bytes(len(archive)))
        else:
            self.wfile.write(archive)

    do_POST = do_GET

    def log_message(self, *words):
        pass


@pytest.fixture
def kaggle(learner, tmp_path, strict, monkeypatch):
    "Kaggle on this machine, a token, and nothing found elsewhere."
    kaggle_env = pytest.importorskip(
        "kagglesdk.kaggle_env",
        reason="kagglehub 0.4 or later, whose address can be changed, is not installed",
    )
    packed = io.BytesIO()
    folder = make(tmp_path / "there")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Kaggle)
    server.archive = packed.getvalue()
    server.fault = None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint,
        kaggle_env.KaggleEnv.LOCAL,
        f"http://127.0.0.1:{server.server_port}",
    )
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    yield server
    server.shutdown()
    server.server_close()


def test_download(kaggle, monkeypatch):
    "What is downloaded is found again without a network and without a token."
    plants = paddy(size=32)
    assert plants.source == "Kaggle's client"
    assert len(plants.table) == 4
    kaggle.fault = 500
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    assert len(paddy(size=32).table) == 4


@pytest.mark.parametrize(
    "fault, words",
    [
        (401, "does not know this token"),
        (403, "accept the competition's rules"),
        (404, "does not know the competition"),
        (500, "answered 500"),
        ("wrong", "damaged"),
        ("cut", "damaged|no connection"),
    ],
)
def test_download_with_a_fault(kaggle, fault, words):
    kaggle.fault = fault
    with pytest.raises(DataUnavailable, match=words):
        paddy(size=32)
    kaggle.fault = None
    assert len(paddy(size=32).table) == 4, "nothing that was left behind is in the way"


def test_no_connection(kaggle):
    kaggle.shutdown()
    kaggle.server_close()
    with pytest.raises(DataUnavailable, match="no connection to Kaggle"):
        paddy(size=32)


# Decoded once


def cached(learner):
    return sorted(path.name for path in (learner / "data" / "cache" / "decoded").glob("*"))


def test_decoded_once(rice, learner, monkeypatch):
    first = paddy(size=32)
    files = cached(learner)
    assert len(files) == 4  # pictures and what is readable, for training and test
    monkeypatch.setattr(helpers.data.paddy, "_decode", lambda *args: pytest.fail("decoded again"))
    second = paddy(size=32)
    assert torch.equal(first.pictures, second.pictures)
    assert cached(learner) == files


def test_a_changed_picture_is_decoded_again(rice):
    before = paddy(size=32).pictures
    write_picture(rice / "train_images" / "blast" / "100001.jpg", seed=99)
    after = paddy(size=32).pictures
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


@pytest.mark.parametrize(
    "other", [dict(size=33), dict(size=(32, 33)), dict(size=32, method="crop")]
)
def test_size_and_method_have_files_of_their_own(rice, learner, other):
    before = paddy(size=32).pictures
    after = paddy(**other).pictures
    assert len(cached(learner)) == 8
    assert before.shape != after.shape or not torch.equal(before, after)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_run_leaves_nothing(rice, learner, monkeypatch, error):
    real = helpers.data.paddy._decode
    done = []

    def interrupted(path, *args):
        done.append(path)
        if len(done) == 3:
            raise error
        return real(path, *args)

    monkeypatch.setattr(helpers.data.paddy, "_decode", interrupted)
    with pytest.raises(error):
        paddy(size=32)
    assert not [name for name in cached(learner) if "npy" in name or "part" in name]
    monkeypatch.setattr(helpers.data.paddy, "_decode", real)
    assert (paddy(size=32).pictures.float().std((1, 2, 3)) > 1).all()


def spoil_rows(decoded):
    [file, *_] = decoded.glob("*.npy")
    file.write_bytes(b"")


def cut_rows(decoded):
    [file, *_] = decoded.glob("*.npy")
    file.write_bytes(file.read_bytes()[:-100])


def other_rows(decoded):
    [file, *_] = decoded.glob("*.npy")
    np.save(file, np.zeros((1, 32, 32, 3), np.uint8))


def spoil_list(decoded):
    [file, *_] = decoded.glob("*.json")
    file.write_text("[true")


def shorten_list(decoded):
    for file in decoded.glob("*.json"):
        file.write_text("[true]")


@pytest.mark.parametrize("spoil", [spoil_rows, cut_rows, other_rows, spoil_list, shorten_list])
def test_a_damaged_cache_is_made_anew(rice, learner, spoil):
    first = paddy(size=32)
    files = cached(learner)
    pictures, test_pictures = first.pictures.clone(), first.test_pictures.clone()
    spoil(learner / "data" / "cache" / "decoded")
    again = paddy(size=32)
    assert torch.equal(again.pictures, pictures)
    assert torch.equal(again.test_pictures, test_pictures)
    assert cached(learner) == files


@pytest.mark.parametrize("kind", [errno.EROFS, errno.EACCES])
def test_a_cache_that_cannot_be_written(rice, learner, monkeypatch, capsys, kind):
    expected = paddy(size=32).pictures.clone()
    shutil.rmtree(learner / "data" / "cache")
    capsys.readouterr()

    def refuse(path, *args, **kwargs):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(helpers.data.paddy.Path, "mkdir", refuse)
    pictures = paddy(size=32).pictures
    assert torch.equal(pictures, expected)
    assert "stay in memory" in capsys.readouterr().out
    assert not (learner / "data" / "cache").exists()


def test_a_full_disk_is_said_before_anything_is_decoded(rice, learner, monkeypatch):
    sizes = []

    def full(file, start, size):
        sizes.append(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(helpers.data.paddy, "_decode", lambda *args: pytest.fail("decoded"))
    with pytest.raises(OSError, match="Make room") as error:
        paddy(size=32)
    assert error.value.errno == errno.ENOSPC
    assert sizes[0] >= 4 * 32 * 32 * 3
    assert cached(learner) == []


def test_the_room_is_taken_beforehand(tmp_path, learner):
    "Also for what cannot be read, and stays empty: no file with holes."
    paths = [tmp_path / f"{n}.jpg" for n in range(3)]
    for path in paths:
        path.write_text("no picture")
    _, good = decoded(paths, (512, 512))
    assert not good.any()
    [file] = (learner / "data" / "cache" / "decoded").glob("*.npy")
    assert file.stat().st_blocks * 512 >= 3 * 512 * 512 * 3


def test_what_a_killed_kernel_left_is_removed(rice, learner):
    folder = learner / "data" / "cache" / "decoded"
    folder.mkdir(parents=True)
    for name, hours in (("old.npy.1.part", 2), ("new.npy.2.part", 0.5), ("old.npy", 2)):
        (folder / name).touch()
        then = time.time() - 3600 * hours
        os.utime(folder / name, (then, then))
    paddy(size=32)
    left = cached(learner)
    assert "old.npy.1.part" not in left
    assert {"new.npy.2.part", "old.npy"} <= set(left)


def test_methods(tmp_path, learner):
    "Of a wide picture, red on its left half: the edge stays, the sides go, or bars come."
    path = tmp_path / "wide.png"
    array = np.zeros((20, 80, 3), np.uint8)
    array[:, :40, 0] = array[:, 40:, 2] = 255
    Image.fromarray(array).save(path)
    pictures = {}
    for method in helpers.data.paddy.METHODS:
        [pictures[method]], _ = decoded([path], (40, 40), method)
    pad = pictures.pop("pad")
    for picture in pictures.values():
        assert picture[0, :, :15].min() == 255 and picture[2, :, 25:].min() == 255
    assert pad[:, :14].max() == 0
    assert pad[0, 16:24, :15].min() == 255


def smooth_picture(height, width, size):
    "A few random pixels, enlarged."
    rough = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


def decoded_array(path, size, method="squish"):
    "int [height, width, 3]."
    pictures, _ = decoded([path], size, method)
    return pictures[0].permute(1, 2, 0).numpy().astype(int)


def test_large_photographs_stay_sharp(tmp_path, learner):
    "A JPEG that is read at a part of its size looks as if it had been read whole."
    path = tmp_path / "large.jpg"
    smooth_picture(16, 12, (480, 640)).save(path, quality=95)
    whole = Image.open(path).convert("RGB").resize((64, 64), Image.Resampling.BILINEAR)
    difference = decoded_array(path, (64, 64)) - np.asarray(whole).astype(int)
    assert abs(difference).mean() < 2


@pytest.mark.parametrize("method", helpers.data.paddy.METHODS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_pictures_stand_upright(tmp_path, learner, kind, orientation, method):
    "As Pillow's `exif_transpose` turns them, however the camera was held."
    path = tmp_path / f"turned.{kind}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth_picture(5, 7, (35, 25)).save(path, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    make = {"squish": Image.Image.resize, "crop": ImageOps.fit, "pad": ImageOps.pad}[method]
    expected = np.asarray(make(upright, (24, 32), Image.Resampling.BILINEAR))
    assert (decoded_array(path, (32, 24), method) == expected).all()


@pytest.mark.parametrize("orientation", [1, 6])
def test_large_turned_photographs_stay_sharp(tmp_path, learner, orientation):
    "The reduced size at which a JPEG is read is large enough for the turned picture, too."
    path = tmp_path / "large.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth_picture(8, 32, (640, 160)).save(path, quality=95, exif=exif)
    height, width = (32, 128) if orientation == 1 else (128, 32)
    upright = ImageOps.exif_transpose(Image.open(path))
    whole = upright.resize((width, height), Image.Resampling.BILINEAR)
    difference = decoded_array(path, (height, width)) - np.asarray(whole).astype(int)
    assert abs(difference).mean() < 4


@pytest.mark.parametrize("exif", [b"Exif\0\0no tags", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_are_passed_over(tmp_path, learner, exif):
    Image.new("RGB", (16, 8), "red").save(tmp_path / "red.jpg", exif=exif)
    pictures, good = decoded([tmp_path / "red.jpg"], (8, 16))
    assert good.all()
    assert pictures[0, 0].min() > 250


@pytest.mark.parametrize("kind, order", [("png", "<u2"), ("tiff", "<u2"), ("tiff", ">u2")])
def test_sixteen_bits_are_scaled(tmp_path, learner, kind, order):
    grey = np.linspace(0, 65535, 256).reshape(16, 16)
    Image.fromarray(grey.astype(order)).save(tmp_path / f"grey.{kind}")
    picture = decoded_array(tmp_path / f"grey.{kind}", (16, 16))
    assert abs(picture - grey[..., None] / 257).max() <= 1
    assert (picture[..., 0] == picture[..., 2]).all()


def test_the_first_versions_cache_is_not_served(tmp_path, learner):
    path = tmp_path / "a.png"
    write_picture(path)
    stats = [(str(path), path.stat().st_size, path.stat().st_mtime_ns)]
    key = hashlib.sha256(json.dumps([stats, (8, 8), "squish"]).encode()).hexdigest()[:16]
    folder = learner / "data" / "cache" / "decoded"
    folder.mkdir(parents=True)
    np.save(folder / f"squish-8x8-{key}.npy", np.zeros((1, 8, 8, 3), np.uint8))
    (folder / f"{key}.json").write_text("[true]")
    assert decoded_array(path, (8, 8)).max() > 0


# Look-alikes


def test_look_alikes_are_chains():
    generator = torch.Generator().manual_seed(0)
    plants = torch.randn(5, 50, generator=generator)
    noise = 0.05 * torch.randn(2, 50, generator=generator)
    frames = 3 * plants[:2] + 1 + noise  # in other contrast and light
    groups = look_alikes(torch.cat([plants, frames]), 0.95)
    assert groups.max() == 4
    assert groups[0] == groups[5] != groups[1] == groups[6]
    # neighbours on an arc correlate at .99, its ends at .36
    angle = torch.linspace(0, 1.2, 9)[:, None]
    arc = torch.cat([angle.cos(), angle.sin(), -angle.cos(), -angle.sin()], 1)
    assert look_alikes(arc, 0.95).max() == 0
    assert look_alikes(arc[[0, -1]], 0.95).max() == 1


def test_look_alikes_over_many_pictures():
    vectors = torch.randn(2500, 20, generator=torch.Generator().manual_seed(1))
    vectors[2400] = vectors[3]  # in another part of the computation
    groups = look_alikes(vectors, 0.999)
    assert groups.max() == 2498
    assert groups[2400] == groups[3]


def test_thumbnails():
    generator = torch.Generator().manual_seed(0)
    shape = (300, 3, 32, 48)
    pictures = torch.randint(0, 255, shape, dtype=torch.uint8, generator=generator)
    small = thumbnails(pictures)
    assert small.shape == (300, 768)
    assert small[299, 0] == pictures[299, 0, :2, :3].float().mean()


@pytest.mark.real
def test_real_photographs(real_data):
    plants = paddy(size=64, least=100)
    assert len(plants.table) == 1440
    assert plants.labels == ["brown_spot", "normal", "tungro"]
    assert len(plants.problems["rows without an image"]) == 8912
    groups = look_alikes(thumbnails(plants.pictures))
    assert 900 < groups.max() < 1200
    assert plants.table.label.groupby(groups).nunique().le(2).all()
