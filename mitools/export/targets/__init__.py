"""Export targets, each in a module that imports its packages when it is used.

- ``ct2``: CTranslate2; ``gguf``: a GGUF file for llama.cpp; ``onnx``: ONNX Runtime
- ``packages``: the packages that a target needs
"""
