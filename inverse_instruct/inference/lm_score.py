"""The LM-Score of two answers (InverseCoder section 3.3): how sure a model is of YES against NO."""

from __future__ import annotations

import math


def lm_score(yes_logprob: float, no_logprob: float) -> float:
    """Return exp(yes) / (exp(yes) + exp(no)); NaN if both are minus infinity or one is NaN."""
    difference = no_logprob - yes_logprob
    if difference > 700:  # exp would overflow; the true value is below 1e-304
        return 0.0
    return 1.0 / (1.0 + math.exp(difference))
