# SPDX-License-Identifier: Apache-2.0
"""Answers on disk."""

import numpy as np

from partdistill_ros.teachers.cache import AnswerCache, answer_key

ARRAYS = {"cosines": np.arange(6, dtype=np.float32).reshape(2, 3)}
PICTURE = np.zeros((4, 4, 3), np.uint8)


def test_what_is_put_is_got(tmp_path):
    cache = AnswerCache(tmp_path)
    assert cache.get("ab12") is None
    cache.put("ab12", ARRAYS)
    np.testing.assert_array_equal(cache.get("ab12")["cosines"], ARRAYS["cosines"])


def test_a_damaged_entry_is_made_anew(tmp_path, caplog):
    cache = AnswerCache(tmp_path)
    cache.put("ab12", ARRAYS)
    file = next(tmp_path.rglob("*.npz"))
    file.write_bytes(file.read_bytes()[:50])
    assert cache.get("ab12") is None and "made anew" in caplog.text


def test_off_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTDISTILL_CACHE", str(tmp_path))
    AnswerCache.at("off").put("ab12", ARRAYS)
    assert AnswerCache.at("off").get("ab12") is None and not list(tmp_path.iterdir())


def test_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTDISTILL_CACHE", str(tmp_path))
    assert AnswerCache.at("on").folder == tmp_path / "teachers"
    monkeypatch.delenv("PARTDISTILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert AnswerCache.at("on").folder == tmp_path / "x" / "partdistill" / "teachers"
    assert AnswerCache.at(str(tmp_path / "own")).folder == tmp_path / "own"


def test_keys_differ_with_model_prompt_and_view():
    other = PICTURE.copy()
    other[0, 0, 0] = 1
    keys = {
        answer_key("model", ("a", "b"), PICTURE),
        answer_key("model 2", ("a", "b"), PICTURE),
        answer_key("model", ("ab",), PICTURE),
        answer_key("model", ("a", "b"), other),
        answer_key("model", ("a", "b"), PICTURE.reshape(2, 8, 3)),
    }
    assert len(keys) == 5
