"""How releases come to be used: what devices report of them, and the rules of `handfed.shared.promotion` over it."""
