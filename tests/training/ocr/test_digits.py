"""Pictures of Khmer numbers and data sets of them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from places import ROOT

from kftune import yaml_text
from kftune.errors import HparamsError, UnknownNameError
from kftune.training.__main__ import main
from kftune.training.digits.alphabet import DIGITS, END, PAD, START, VOCABULARY, decode, decode_ctc, encode
from kftune.training.digits.dataset import Recipe, find_metadata, generate, read_split
from kftune.training.digits.drawing import HEIGHT, WIDTH, Damage, draw, spoil
from kftune.training.digits.glyphs import FONTS, glyphs
from kftune.training.digits.pgm import parse_pgm, to_pgm

TINY = Recipe(train=12, val=6, test=6)
LIMITS: dict[str, Any] = {"vocab_size": 13, "max_length": 9}


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "metadata.yaml"
    generate(path, TINY)
    return path


def test_the_vocabulary_has_thirteen_tokens():
    assert len(VOCABULARY) == 13
    assert (VOCABULARY[PAD], VOCABULARY[START], VOCABULARY[END]) == ("<pad>", "<start>", "<end>")


def test_a_number_survives_its_tokens():
    assert decode([*encode(DIGITS), END, *encode("១")]) == DIGITS


def test_ctc_merges_repeated_tokens_but_not_repeated_digits():
    one, two = encode("១២")
    assert decode_ctc([one, one, PAD, one, two, two, PAD, PAD]) == "១១២"
    assert decode_ctc([]) == ""


def test_the_glyphs_are_those_whose_licences_are_written_down():
    sheet = (resources.files("kftune.training.digits") / "khmer-digits.pgm.gz").read_bytes()
    digest = hashlib.sha256(sheet).hexdigest()
    assert digest in (ROOT / "docs" / "ocr.md").read_text(encoding="utf-8")
    licence = (resources.files("kftune.training.digits") / "khmer-digits.LICENSE.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE" in licence
    assert "Lesser General Public" in licence


def test_every_font_has_ten_digits_and_no_font_is_in_two_splits():
    assert sorted(font for fonts in FONTS.values() for font in fonts) == sorted(glyphs())
    assert {len(digits) for digits in glyphs().values()} == {10}
    assert all(glyph.amax() > 0.5 and glyph.shape[1] > 5 for digits in glyphs().values() for glyph in digits)


@pytest.mark.parametrize("text", ["០", DIGITS[:8], "៩" * 16])
def test_a_number_fits_into_its_picture(text: str):
    for seed in range(20):
        picture = draw(text, glyphs()["Khmer OS muol"], torch.Generator().manual_seed(seed))
        assert picture.shape == (HEIGHT, WIDTH)
        assert picture[:, 0].sum() == picture[:, -1].sum() == 0
        assert 0 <= picture.min() < picture.max() <= 1


def test_damage_depends_on_the_seed_and_leaves_values_in_range():
    clean = draw("១២៣", glyphs()["Khmer OS"], torch.Generator().manual_seed(0)).expand(4, -1, -1)
    first, again, other = (spoil(clean, Damage(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    assert 0 <= first.min() <= first.max() <= 1


def test_no_damage_leaves_a_picture_as_it_is():
    clean = draw("១២៣", glyphs()["Khmer OS"], torch.Generator().manual_seed(0))[None]
    none = Damage(turn=0, slant=0, zoom=0, shift=0, blur=0, fade=0, shade=0, noise=0, lines=0)
    assert torch.allclose(spoil(clean, none, torch.Generator().manual_seed(1)), clean, atol=1e-5)


def test_a_picture_survives_its_file():
    picture = torch.arange(6, dtype=torch.uint8).view(2, 3)
    assert torch.equal(parse_pgm(to_pgm(picture), "x"), picture)
    assert torch.equal(parse_pgm(to_pgm(picture.t()), "x"), picture.t())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "must be a binary PGM file"),
        (b"P2 1 1 255\n1", "must be a binary PGM file"),
        (b"P5 1 1 65535\n11", "must be a binary PGM file"),
        (b"P5 2 2 255\n111", "must have 2 x 2 pixels, but has 3"),
        (b"P5 0 0 255\n", "must have 0 x 0 pixels, but has 0"),
    ],
)
def test_other_files_are_no_pictures(data: bytes, message: str):
    with pytest.raises(HparamsError, match=message):
        parse_pgm(data, "x.pgm")


def test_the_same_recipe_gives_the_same_files_and_another_seed_others(tmp_path: Path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        generate(tmp_path / name / "metadata.yaml", Recipe(seed=seed, train=8, val=4, test=4))
    first, again, other = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b", "c")
    )
    assert first == again
    assert set(first) == {"metadata.yaml", *(f"{split}.{kind}" for split in FONTS for kind in ("pgm", "txt"))}
    assert all(first[name] != other[name] for name in first)


def test_a_split_is_read_as_it_was_written(metadata: Path):
    found = read_split(metadata, "val", **LIMITS)
    assert found.ink_BHW.shape == (6, HEIGHT, WIDTH)
    assert [*found.texts] == (metadata.parent / "val.txt").read_text(encoding="utf-8").split()
    assert all(1 <= len(text) <= 8 for text in found.texts)


def test_pictures_to_train_on_are_clean_and_others_are_not(metadata: Path):
    clean, spoiled = (read_split(metadata, split, **LIMITS).ink_BHW for split in ("train", "val"))
    assert (clean[:, 0, 0] == 0).all()
    assert (spoiled.float().mean(dim=(1, 2)) > clean.float().mean() / 2).any()
    assert not (spoiled[:, 0, 0] == 0).all()


def test_an_unknown_split_has_near_names(metadata: Path):
    with pytest.raises(UnknownNameError, match=r"unknown split in .* 'vall'; did you mean 'val'"):
        read_split(metadata, "vall", **LIMITS)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metadata.yaml", "[]\n", "must be a mapping with vocabulary"),
        ("metadata.yaml", "splits: {val: {}}\n", "vocabulary must be"),
        ("val.txt", "១\n", "a picture of 32 x 128 pixels for each of the 1 lines"),
        ("val.txt", "១\n២\n12\n៤\n៥\n៦\n", r"val\.txt:3 must be Khmer digits"),
        ("val.txt", "១\n\n១\n៤\n៥\n៦\n", r"val\.txt:2 must be Khmer digits"),
        ("val.txt", "១\n២\n១២៣៤៥៦៧៨៩\n៤\n៥\n៦\n", r"val\.txt:3 has 9 digits and an end, but max_sequence_length is 9"),
        ("val.pgm", "P6", "must be a binary PGM file"),
    ],
)
def test_a_wrong_file_is_an_error_with_its_place(metadata: Path, file: str, content: str, message: str):
    (metadata.parent / file).write_text(content, encoding="utf-8")
    with pytest.raises(HparamsError, match=message):
        read_split(metadata, "val", **LIMITS)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("height", 64, "32 high and 128 wide, but height is 64"),
        ("splits", {"val": []}, "must name its files as pictures and texts"),
        ("splits", {"val": {"pictures": "a.pgm", "texts": 1}}, "must name its files"),
        ("splits", {"val": {"pictures": "a.pgm", "texts": "val.txt"}}, r"No such file.*a\.pgm"),
    ],
)
def test_wrong_metadata_is_an_error(metadata: Path, key: str, value: object, message: str):
    content: Any = yaml_text.load_file(metadata)
    metadata.write_text(yaml_text.dump({**content, key: value}), encoding="utf-8")
    with pytest.raises(HparamsError, match=message):
        read_split(metadata, "val", **LIMITS)


def test_the_model_must_know_the_vocabulary(metadata: Path):
    with pytest.raises(HparamsError, match=r"vocab_size must be .* 13, but is 12"):
        read_split(metadata, "val", vocab_size=12, max_length=9)


def test_a_data_set_is_generated_only_at_the_default_place(tmp_path: Path):
    with pytest.raises(HparamsError, match=r"ocr-data --metadata=.*other\.yaml makes one"):
        find_metadata(tmp_path / "other.yaml", tmp_path / "metadata.yaml")


def test_a_folder_stands_for_its_metadata(metadata: Path):
    assert find_metadata(metadata.parent, Path("x")) == metadata


def test_the_step_writes_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "new" / "metadata.yaml"
    status = main(["ocr-data", f"--metadata={path}", "--train=5", "--val=2", "--test=2", "--seed=7", "--max_digits=3"])
    assert status == 0
    assert "5 pictures to train on" in capsys.readouterr().out
    assert all(len(text) <= 3 for text in read_split(path, "train", **LIMITS).texts)


def test_the_step_writes_a_folder_that_training_reads(tmp_path: Path):
    assert main(["ocr-data", f"--data={tmp_path / 'new'}", "--train=5", "--val=2", "--test=2"]) == 0
    assert len(read_split(find_metadata(tmp_path / "new", None), "train", **LIMITS)) == 5


def test_processes_that_miss_the_data_set_at_the_same_time_write_it_once(tmp_path: Path):
    code = """
import sys
from pathlib import Path
from kftune.training.digits import dataset
dataset.Recipe.__init__.__defaults__ = (0, 800, 8, 8, 8)
path = Path("generated_data/metadata.yaml")
print("ready", flush=True)
sys.stdin.readline()
found = dataset.find_metadata(path, path)
print(len(dataset.read_split(found, "train", vocab_size=13, max_length=9)))
"""
    trials = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for trial in trials:
        assert trial.stdout is not None
        assert trial.stdout.readline() == "ready\n"
    printed = []
    for trial in trials:
        assert trial.stdin is not None
        trial.stdin.write("\n")
        trial.stdin.flush()
    for trial in trials:
        printed.append(trial.communicate(timeout=60)[0])
        assert trial.returncode == 0
    assert [text.splitlines()[-1] for text in printed] == ["800", "800"]
    assert sum("generating the pictures" in text for text in printed) == 1
    assert sorted(path.name for path in (tmp_path / "generated_data").iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs --data=FOLDER or --metadata=FILE, but has neither"),
        (["--data=x", "--metadata=x.yaml"], "but has both"),
        (["--metadata=x.yml"], "writes a file such as generated_data/metadata.yaml"),
        (["--metadata=x.yaml", "--train=0"], "--train must be a whole number from 1"),
        (["--metadata=x.yaml", "--max_digits=17"], "--max_digits must be a whole number from 1 to 16"),
        (["--metadata=x.yaml", "--seed=-1"], "--seed must be a whole number from 0"),
        (["--metadata=x.yaml", "--sed=1"], "did you mean 'seed'"),
    ],
)
def test_a_mistake_in_the_step_is_a_usage_error(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["ocr-data", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_help_of_the_step_needs_no_torch():
    code = "import sys; from kftune.training.__main__ import main; main(sys.argv[1:]); sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "ocr-data", "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--max_digits" in done.stdout
