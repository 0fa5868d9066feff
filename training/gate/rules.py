"""How one model ranks one set of events; see ``training.gate.judgement``."""

from training.gate.judgement import Judgement, judge

__all__ = ["Judgement", "judge"]
