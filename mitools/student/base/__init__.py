"""Base models: finding, checking and opening the model that a student is made of."""
