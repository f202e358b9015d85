"""The losses of training: pure functions on tensors that know no model, no file and no trainer."""
