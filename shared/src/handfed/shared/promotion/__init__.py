"""How a release comes to be used: rules without IO, whose state, evidence and clock are arguments.

    `evidence`      paired counts that devices return from shadow, and what of them counts
    `paired_test`   whether they show that the candidate is not worse than the champion, or that it is
    `rules`         from candidate to 5, 25 and 100 % of the devices, or back: (state, event) to state
    `settings`      what all of it is measured by

Which devices those per cent are, each finds for itself: `handfed.shared.registry.bucket_of`.

Rules:
1. Nobody uses a candidate before devices have judged it in shadow; nothing is promoted for want of evidence.
2. Evidence and health may send a release back at every step, also by surprise; only time, evidence and health together,
   or a person, bring it forward.
3. No device decides alone: see `paired_test` and `rules`.

For an operator: `docs/promotion.md`. Why this test: `docs/decisions/0021-a-betting-test-for-promotion.md`.
"""
