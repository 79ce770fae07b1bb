# SPDX-License-Identifier: Apache-2.0
"""WordNet's files are read as they are written, and its words move toward the names that mean the same."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.inference.token_table import TokenTable  # noqa: E402
from partdistill_ros.text.tokens import quantized  # noqa: E402
from partdistill_ros.text.wordnet import WordNet, listed_with, main, retrofitted  # noqa: E402

DATA = """  1 the license of the database
00000001 06 n 01 handle 0 001 ~ 00000002 n 0000 | the part that is held
00000002 06 n 02 haft 0 helve 1 002 @ 00000001 n 0000 #p 00000003 n 0000 | the handle of a weapon or tool
00000003 06 n 01 Hand_Axe 0 001 %p 00000002 n 0000 | a light ax
00000004 04 n 01 haft 0 000 | the act of hafting
00000005 04 n 01 grip 0 001 @ 00000001 n 0000 | the act of gripping
"""
INDEX = """  1 the license of the database
haft n 2 1 @ 2 1 00000004 00000002
helve n 1 1 @ 1 0 00000002
handle n 1 1 ~ 1 1 00000001
hand_axe n 1 1 %p 1 0 00000003
grip n 1 1 @ 1 0 00000005
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data.noun").write_text(DATA, encoding="latin-1")
    (tmp_path / "index.noun").write_text(INDEX, encoding="latin-1")
    return tmp_path


def test_only_senses_that_name_a_thing_relate_a_word(folder):
    wordnet = WordNet.load(folder)
    assert wordnet.senses["hand axe"] == ("00000003",) and wordnet.synsets["00000003"].words == ("hand axe",)
    assert wordnet.related("haft", {"handle", "helve", "haft"}) == {"handle": 0.7, "helve": 1.0}
    assert wordnet.related("grip", {"handle"}) == {}


def test_words_move_toward_related_names_and_these_stay(folder):
    rng = np.random.default_rng(0)
    table = TokenTable(["haft", "helve", "handle"], *quantized(rng.normal(size=(3, 16)).astype(np.float32)), 1.5)
    known = {"handle": np.eye(16, dtype=np.float32)[0]}
    moved = retrofitted(WordNet.load(folder), table, known)
    assert set(moved) == {"haft", "helve", "handle"}
    np.testing.assert_array_equal(moved["handle"], known["handle"])
    assert moved["haft"] @ known["handle"] > 0.5 + table.encode(["haft"])[0] @ known["handle"] / 2


def test_a_thesaurus_moves_things_that_wordnet_does_not_relate(folder, tmp_path):
    (tmp_path / "moby.txt").write_text("Hand ax,sword,hand axe,haft\ngrip,handle,grasp\nhandle,hand axe,haft\n")
    listed = listed_with(tmp_path / "moby.txt", {"handle"})
    assert listed == {"grip": {"handle"}, "hand axe": {"handle"}, "haft": {"handle"}}
    table = TokenTable(["hand", "axe", "grip"], *quantized(np.eye(16, dtype=np.float32)[1:4]), 1.5)
    known = {"handle": np.eye(16, dtype=np.float32)[0]}
    moved = retrofitted(WordNet.load(folder), table, known, listed)
    assert moved["hand axe"] @ known["handle"] == pytest.approx(0.6, abs=0.01)  # 0.75 of it beside one of its own
    assert "grip" not in moved, "to grip is no thing"
    with pytest.raises(PartDistillError, match="lists no known name"):
        listed_with(tmp_path / "moby.txt", {"wheel"})


def test_a_folder_without_wordnet_says_what_to_download(folder, capsys):
    (folder / "index.noun").write_text(INDEX.replace("00000005", "00000009"), encoding="latin-1")
    with pytest.raises(PartDistillError, match=r"not of one WordNet: unpack https://"):
        WordNet.load(folder)
    (folder / "data.noun").unlink()
    with pytest.raises(SystemExit):
        main(["--wordnet", str(folder), "--moby", str(folder / "moby.txt")])
    assert "holds no WordNet database" in capsys.readouterr().err
