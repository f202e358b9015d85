"""Students: small models that answer and explain.

Owns the transformers models: loading and building them, scoring choices, generating text.
"""
