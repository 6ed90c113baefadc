"""Blame that is wrong without a reason that the docs name costs an operator's trust in every other flag."""

from tests.recovery.trial import run

TIMELINES = 2_000


def test_every_verdict_against_the_truth_has_a_reason_that_the_docs_name() -> None:
    trial = run(TIMELINES, seed=1)

    print(trial.table())
    assert trial.faults == [], trial.faults[0]
    assert trial.broken == [], trial.broken[0]
    # Exactly dated activations and exits seen as they happen leave nothing to guess.
    assert trial.at_once.exact_hits > 0
    assert trial.at_once.exact_faults == 0
    assert trial.at_once.recall > trial.baseline.recall
