"""Amended decisions: late events decided again on whole windows, beside the sink.

``features.late: amend``. The scorer decides a late event at once, on windows that may have been cut short.
The keeper has the whole history: it computes the features again, and where they differ it decides again,
under the model and the policy of the first decision, and sends the new decision beside it.
"""

from training.keeper.amend.worker import Amender

__all__ = ["Amender"]
