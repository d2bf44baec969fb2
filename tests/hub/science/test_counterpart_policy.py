"""conf/counterparts.toml: what is wrong in it is said in one sentence."""

import pytest

from hub.errors import ConfigError
from hub.resources import read_text
from hub.science.counterpart_policy import load_counterpart_policy

TEXT = read_text("conf/counterparts.toml")


def test_the_shipped_policy_is_read():
    assert load_counterpart_policy(TEXT).chance.n_place_shifts > 0


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("seed = 1", "seeds = 1", "unknown key 'seeds' in [chance]"),
        ("seed = 1", "seed = 1.5", "seed must be a whole number of at least 0"),
        ("max_unlike = 0.2", "max_unlike = 2", "max_unlike must lie between 0 and 0.99"),
        ("level_edges = [0.5, 0.9]", "level_edges = [0.9, 0.5]", "level_edges must ascend"),
        ('["gap"],', '["moon"],', "pooling: 'moon' is none of programme, band, gap, depth, level"),
        ("[posterior.hypothesis.other]", "[posterior.hypothesis.others]", "[posterior.hypothesis.other] is missing"),
        ("veto_loss = 0.02", "", "missing key 'veto_loss'"),
        ("version = 1", "version = ", "the policy for counterparts is no valid TOML"),
    ],
)
def test_what_is_wrong_is_said(before, after, sentence):
    assert before in TEXT
    with pytest.raises(ConfigError) as caught:
        load_counterpart_policy(TEXT.replace(before, after, 1))
    assert sentence in str(caught.value)
