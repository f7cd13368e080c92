"""The numerical kernels: compiled functions of arrays, no files, clocks or globals."""
