"""The patient loop as text: each file, below its line `# loop`, becomes part of a model's generated module.

The code uses scalars and array elements only, so that the same text runs compiled for the processor, as a
CUDA kernel with one patient a thread, and as plain Python.
"""
