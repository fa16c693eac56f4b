"""The whole way on one page: what the demo counts and asks once the verbs have run."""

from biostar.demo.summary import Answer, Layer, answer, layers, rejects

__all__ = ["Answer", "Layer", "answer", "layers", "rejects"]
