"""Training: the objective, the data, and the engine that runs them."""

__all__: list[str] = []
