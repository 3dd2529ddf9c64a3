// The index map of up to three axes, tabulated one after the other:
//
//   table[first[a] + v] = e(v - before[a], size[a], mode[a])     0 <= v < extent[a]
//                         ABSENT                                 extent[a] <= v < length[a]
//
// One thread per entry. Kernels read the table instead of evaluating e at every tap, so that
// one loop serves every mode, asymmetric widths and crops.

struct TableParams {
    int32 first[3], length[3], extent[3], before[3], size[3], mode[3];
};

__global__ void __launch_bounds__(256) index_table(int32 *__restrict__ table, const __grid_constant__ TableParams p) {
    const int32 v = blockIdx.x * 256 + threadIdx.x;
    const int32 a = blockIdx.y;
    if (v < p.length[a])
        table[p.first[a] + v] =
            v < p.extent[a] ? source_index(static_cast<int64>(v) - p.before[a], p.size[a], p.mode[a]) : ABSENT;
}
