"""When a federation learns anew: rules without IO, whose facts, settings and clock are arguments.

    `settings`      what it is decided by
    `policy`        from counts and a drift score to a decision that says why, condition by condition

What devices tell for it: `handfed.shared.handwriting_reports`. For an operator: `docs/learning.md`. Why so:
`docs/decisions/0029-when-to-learn.md`.
"""
