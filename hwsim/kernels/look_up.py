"""Tables read by every element, without the temporaries of NumPy's indexing."""

from hwsim.kernels._jit import jit


@jit()
def shared(values, offset, table, out):
    """``out[i] = table[values[i] + offset]``."""
    for i in range(values.size):
        out[i] = table[values[i] + offset]


@jit()
def by_group(codes, tables, select, group_size, out):
    """``out[n, k] = tables[select[n, k // group_size], codes[n, k]]``; select [N, G]."""
    for n in range(codes.shape[0]):
        for group in range(select.shape[1]):
            table = tables[select[n, group]]
            for k in range(group * group_size, min((group + 1) * group_size, codes.shape[1])):
                out[n, k] = table[codes[n, k]]
