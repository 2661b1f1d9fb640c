"""Batch normalization in validation beside training."""

from __future__ import annotations

import numpy as np
import pytest

from tb_activations.diagnosis.validation import BatchNormDrift, OtherValidationData
from tests.diagnosis.hand import History

NET = """
    input x [?,8]
    layer one Dense [?,8] <- x
    layer norm BatchNormalization [?,8] <- one
    layer two Dense [?,8] <- norm
    layer norm_1 BatchNormalization [?,8] <- two
    loss loss [] <- norm_1
"""
MOMENTUM = {"norm": {"attributes": {"momentum": 0.9}}, "norm_1": {"attributes": {"momentum": 0.9}}}


def run(steps, loss=1.0, **std):
    history = History(NET, steps, **MOMENTUM)
    for node in ("x", "one", "norm", "two", "norm_1"):
        history.set(node, std=std.get(node, 1.0), mean=0.0)
    return history.set("loss", elements=1, mean=loss)


def drift(steps=(100, 200, 300), loss=1.0, trained=400, **std):
    """What is found when validation at ``steps`` has these standard deviations; in training all are 1."""
    watch, validated = run(range(0, trained, 10)).watch(BatchNormDrift()), run(steps, loss, **std)
    watch.compare(validated.block(), validated.facts)
    return watch.findings()


def test_statistics_that_are_as_in_training_are_healthy():
    assert drift(norm=1.5, norm_1=0.6) == []


def test_outputs_on_another_scale_are_told_once_statistics_had_time_to_arrive():
    found = drift(norm_1=0.2)
    assert [(f.node, f.first_step) for f in found] == [("norm_1", 100)]
    assert "its output has standard deviation 0.2 and mean 0, in training 1 and 0, since step 100" in found[0].sentence
    assert drift(steps=(5, 10, 15), norm_1=0.2) == []


def test_statistics_that_come_closer_from_one_validation_to_the_next_are_late_and_no_more():
    assert drift(norm_1=np.array([20.0, 9.0, 4.0])) == []
    assert [f.first_step for f in drift(norm_1=np.array([4.0, 9.0, 8.9]))] == [100]


def test_training_that_was_recorded_long_ago_is_no_measure():
    assert drift(norm_1=0.2, trained=50) == []
    assert drift(one=0.1, trained=50) == []  # the weights before it are other ones by now
    assert [f.node for f in drift(x=0.1, one=0.1, trained=50)] == ["norm"]


def test_other_data_are_told_at_the_first_normalization_whatever_its_output():
    found = drift(steps=(5, 10, 15), x=0.1, one=0.1, two=0.1)
    assert [f.node for f in found] == ["norm"]
    assert "what comes in has standard deviation 0.1" in found[0].sentence
    assert "as training data are prepared" in found[0].remedy


def test_pixels_that_validation_forgot_to_scale_are_told_at_once():
    assert drift(steps=(20,), one=5.0) == []
    assert [f.node for f in drift(steps=(20,), one=255.0, norm=200.0)] == ["norm"]


def inverted(loss=3.0, x=0.7, norm=0.5, trained=1.0):
    """What is found when validation has these means; in training all are 0.3, with a deviation of 0.4."""
    watch = None
    for steps, fed, given, value in ((range(0, 400, 10), 0.3, 0.0, trained), ((100, 200, 300), x, norm, loss)):
        history = run(steps, value).set("x", std=0.4, mean=fed).set("norm", std=1.0, mean=given)
        if watch is None:
            watch = history.watch(BatchNormDrift())
        else:
            watch.compare(history.block(), history.facts)
    return watch.findings()


def test_an_input_with_another_mean_counts_where_validation_is_worse_than_training_began():
    found = inverted()
    assert [(f.node, f.first_step) for f in found] == [("norm", 100)]
    assert "its output has standard deviation 1 and mean 0.5, in training 1 and 0," in found[0].sentence
    assert inverted(loss=0.9) == []  # it generalizes, somehow
    assert inverted(loss=3.0, trained=np.geomspace(5, 0.01, 40)) == []  # it overfits
    assert inverted(x=0.4) == []
    assert inverted(norm=0.1) == []


def test_a_smaller_difference_counts_later_where_validation_is_worse():
    assert [f.node for f in drift(norm=2.0, loss=3.0)] == ["norm"]
    assert drift(norm=2.0, loss=1.0) == []
    assert drift(steps=(40, 50, 60), norm=2.0, loss=3.0) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["norm"]),
        ({"momentum": 0.99}, []),  # three quarters have arrived
        ({"norm": 1.1}, []),
        ({"loss": 0.9}, []),  # some of what was learned is seen
        ({"trained": 0.9}, []),  # nothing was learned
        ({"step": 90}, []),
    ],
    ids=str,
)
def test_where_nothing_of_what_was_learned_is_seen_less_counts_while_most_statistics_are_the_initial_ones(changes, told):
    """A momentum of 0.999, in a training of 135 steps."""
    given = {"momentum": 0.999, "norm": 1.3, "loss": 2.2, "trained": 0.4, "step": 135, **changes}
    momentum = {name: {"attributes": {"momentum": given["momentum"]}} for name in ("norm", "norm_1")}
    runs = [run(range(0, 140, 5), np.geomspace(2.5, given["trained"], 28)), run((given["step"],), given["loss"], norm=given["norm"])]
    for history in runs:
        history.facts = History(NET, [0], **momentum).facts
    watch = runs[0].watch(BatchNormDrift())
    watch.compare(runs[1].block(), runs[1].facts)
    assert [f.node for f in watch.findings()] == told


def spreads(steps=(110, 120), loss=3.0, momentum=0.99999, trained=1.0, validated=(0.15,), fed=0.15):
    """What is found when examples differ so much behind the first normalization, and so much before it."""
    runs = [run(range(0, 400, 10)), run(steps, loss)]
    for history, values in zip(runs, (trained, validated), strict=True):
        history.set("one", std=1.0, mean=0.0, batch_std=fed if history is runs[1] else 0.15).set("norm", std=1.0, mean=0.0, batch_std=values)
    changes = {"norm": {"attributes": {"momentum": momentum}}, "norm_1": {"attributes": {"momentum": momentum}}}
    for history in runs:
        history.facts = History(NET, [0], **changes).facts
    watch = runs[0].watch(BatchNormDrift())
    watch.compare(runs[1].block(), runs[1].facts)
    return watch.findings()


def test_examples_that_are_all_alike_behind_statistics_that_never_arrive_are_told_at_the_first_validation_late_enough():
    found = spreads(steps=(50, 110), validated=(0.15, 0.15))
    assert [(f.node, f.first_step) for f in found] == [("norm", 50)]
    assert "Over examples the standard deviation is 0.15, in training 1." in found[0].sentence
    assert [f.first_step for f in spreads(momentum=0.9, validated=(0.15, 0.15))] == [110]


def test_examples_that_differ_by_less_count_where_statistics_never_arrive():
    """Of channels of unlike means and scales the initial 0 and 1 may give the right scale on the whole, and to none of them."""
    assert [(f.node, f.first_step) for f in spreads(steps=(110, 120), trained=0.9, validated=(0.57, 0.57))] == [("norm", 110)]
    assert spreads(steps=(110, 120), trained=0.9, validated=(0.7, 0.7)) == []
    assert spreads(steps=(110, 120), trained=0.9, validated=(0.57, 0.57), fed=0.1) == []
    assert spreads(steps=(110, 120), trained=0.9, validated=(0.57, 0.57), loss=1.0) == []
    assert spreads(steps=(40, 60), trained=0.9, validated=(0.57, 0.57)) == []
    assert spreads(steps=(110, 120), trained=0.9, validated=(0.57, 0.57), momentum=0.997) == []


def test_examples_of_one_class_or_a_validation_that_is_as_good_are_healthy():
    assert spreads(fed=0.02) == []
    assert spreads(loss=1.0) == []
    assert spreads(steps=(20, 40), validated=(0.15, 0.15), momentum=0.99) == []
    assert spreads(steps=(40,), validated=(0.15,)) == []


def test_a_momentum_of_nearly_one_is_told_as_soon_as_validation_is_worse():
    """As many steps as it takes to see that nothing moves: two validations."""
    assert [(f.node, f.first_step) for f in slow(loss=3.0)] == [("norm", 20)]
    assert [f.node for f in slow(loss=3.0, std=0.5)] == ["norm"]
    assert slow(loss=1.0) == []
    assert slow(loss=3.0, momentum=0.99) == []


def test_a_scale_that_is_off_by_less_counts_where_no_time_will_mend_it():
    """In steps 100 and on, nine tenths of what moving statistics began with are left, and more."""
    assert [(f.node, f.first_step) for f in slow(loss=3.0, std=1.5, steps=(100, 200), momentum=0.99999)] == [("norm", 100)]
    assert slow(loss=3.0, std=1.5, steps=(40, 80), momentum=0.99999) == []
    assert slow(loss=3.0, std=1.5, steps=(100, 200), momentum=0.997) == []
    assert slow(loss=1.0, std=1.5, steps=(100, 200), momentum=0.99999) == []
    assert slow(loss=3.0, std=1.2, steps=(100, 200), momentum=0.99999) == []
    assert [f.first_step for f in slow(loss=3.0, std=2.6, steps=(110,), momentum=0.99999)] == [110]  # the next one would be no other
    assert slow(loss=3.0, std=1.5, steps=(110,), momentum=0.99999) == []
    assert slow(loss=3.0, std=2.6, steps=(90,), momentum=0.99999) == []


def slow(loss, momentum=0.9999, std=0.2, steps=(20, 40)):
    changes = {"norm": {"attributes": {"momentum": momentum}}, "norm_1": {"attributes": {"momentum": 0.9}}}
    runs = [run(range(0, steps[-1] + 20, 10)), run(steps, loss, norm=std)]
    for history in runs:
        history.facts = History(NET, [0], **changes).facts
    watch = runs[0].watch(BatchNormDrift())
    watch.compare(runs[1].block(), runs[1].facts)
    return watch.findings()


def test_a_validation_that_is_shown_while_training_goes_on_says_what_a_look_at_the_end_says_and_keeps_little():
    training, validated = run(range(0, 400, 10)), run((100, 200, 300), norm=0.2, norm_1=np.array([20.0, 9.0, 4.0]))
    whole = training.watch(BatchNormDrift())
    whole.compare(validated.block(), validated.facts)
    growing = BatchNormDrift().watch(training.facts)
    told, shown = 0, 0
    for start in range(0, 40, 4):
        block = training.block(start, start + 4)
        block.median_loss = np.ones(4, np.float32)
        growing.update(block)
        if start in (12, 24, 36):  # the validation at step 100 arrives after step 150, and so on
            growing.compare(validated.block(shown, shown + 1), validated.facts)
            shown += 1
            assert len(growing._steps) <= 10
        assert len(growing.findings()) >= told
        told = len(growing.findings())
    assert repr(growing.findings()) == repr(whole.findings())
    assert [f.node for f in whole.findings()] == ["norm"]


def last_batch(momentum, loss=3.0, **std):
    """What is found where moving statistics forget; in training deviations and the loss are 1."""
    histories = []
    for steps, value, numbers in ((range(0, 400, 10), 1.0, {}), ((100, 200, 300), loss, std)):
        history = History(NET, steps, norm={"attributes": {"momentum": momentum}}, norm_1={"attributes": {"momentum": 0.9}})
        for node in ("x", "one", "norm", "two", "norm_1"):
            history.set(node, std=numbers.get(node, 1.0), mean=0.0)
        histories.append(history.set("loss", elements=1, mean=value))
    watch = histories[0].watch(BatchNormDrift())
    watch.compare(histories[1].block(), histories[1].facts)
    return watch.findings()


def test_statistics_of_the_last_batch_are_told_where_validation_shows_it():
    """They come nearer and go away again from one validation to the next."""
    there = np.array([0.6, 1.6, 1.5])
    found = last_batch(0.0, norm=there)
    assert [(f.node, f.first_step) for f in found] == [("norm", 100)]
    assert "With momentum 0 the moving statistics are those of the last batch or two" in found[0].remedy
    assert last_batch(0.9, norm=there) == last_batch(0.0, norm=1.2) == last_batch(0.0, loss=1.2, norm=there) == []


def other_data(steps=(100, 200, 300), loss=3.0, std=1.0, mean=0.0):
    """What is found of the input of a network without a normalization; in training its deviation is 1, its mean 0, and the loss 1."""
    text = "input x [?,8]; layer one Dense [?,8] <- x; loss loss [] <- one"
    training, validated = (History(text, at).set("one", std=1.0, mean=0.0) for at in (range(0, 400, 10), steps))
    training.set("x", std=1.0, mean=0.0).set("loss", elements=1, mean=1.0)
    watch = training.watch(OtherValidationData())
    watch.compare(validated.set("x", std=std, mean=mean).set("loss", elements=1, mean=loss).block(), validated.facts)
    return watch.findings()


def test_an_input_that_is_another_one_in_validation_is_told_where_the_loss_shows_it():
    found = other_data(std=4.0, mean=1.0)
    assert [(f.node, f.first_step, f.severity) for f in found] == [("x", 100, "warning")]
    assert "In validation it has standard deviation 4 and mean 1, in training 1 and 0, since step 100" in found[0].sentence
    assert [f.first_step for f in other_data(mean=-2.5)] == [100]


def test_other_data_that_the_network_can_take_or_that_differ_by_chance_are_fine():
    assert other_data(std=4.0, loss=1.4) == []  # not worse than training
    assert other_data(std=2.5, mean=1.0) == []
    assert other_data(std=np.array([4.0, 1.0, 1.0])) == []


def test_one_validation_is_enough_for_pixels_that_were_not_scaled():
    assert other_data(steps=(20,), std=5.0) == []
    assert [f.node for f in other_data(steps=(20,), std=255.0)] == ["x"]
