// Convolution as one matrix product per group, the matrix of windows never in memory.
//
//   y[m, o] = b[o] + sum_k A[m, k] W[k, o]     m = (n, q)    A[m, k] = x[n, c, e(q s + kernel d)]
//
// A block makes BM x BN outputs, a thread TM x TN of them, from panels BK deep that pass from
// global memory through registers into two shared buffers in turn. Two ways to find A[m, k]:
//
//   Index = int32   padded. k runs over taps, then channels; one tap per panel. At a new tap the
//                   rows of the block look their source up in the tables, OUTSIDE for the fill.
//   Index = int64   no window leaves the input (1 x 1, patches, unpadded): A[m, k] is
//                   x[row(m) + index[k]], one offset per k for all rows, k over all taps.
//
// CHANNELS_LAST gives consecutive threads consecutive channels instead of positions, on loading
// and on storing, whichever are adjacent in memory. Panels past the last channel hold 0 on both
// sides, selected and not multiplied, so no infinity meets a padded lane.
// Parallel: x over tiles of positions, y over tiles of output channels, z over groups.

constexpr int64 OUTSIDE = -0x7fffffffffffffffll - 1; // no offset into an array

template <class T> struct alignas(16) Quad {
    T at[4];
};

template <class T, class Acc, int BM, int BN, int BK, int TM, int TN, bool CHANNELS_LAST, class Index>
__global__ void __launch_bounds__((BM / TM) * (BN / TN), 2)
    conv_gemm(const T *__restrict__ x_ncq,        // IN
              const T *__restrict__ w_kco,        // IN  packed
              const Acc *__restrict__ bias_o,     // IN
              const T *__restrict__ fill_c,       // IN  read if fill_per_channel
              const Index *__restrict__ index,    // IN  tables or offsets, see above
              const T *__restrict__ residual_noq, // IN  or NULL
              T *__restrict__ y_noq,              // OUT
              const __grid_constant__ ConvParams p) {
    constexpr int THREADS = (BM / TM) * (BN / TN);
    constexpr int A_LOADS = BM * BK / THREADS, B_LOADS = BN * BK / THREADS;
    constexpr bool PADDED = sizeof(Index) == sizeof(int32);
    static_assert(A_LOADS * THREADS == BM * BK && B_LOADS * THREADS == BN * BK, "uneven panels");
    static_assert(BM <= THREADS, "one thread looks up one row");
    __shared__ __align__(16) Acc a_km[2][BK][BM + 4];
    __shared__ __align__(16) Acc b_kn[2][BK][BN];
    __shared__ int32 row_n[BM], row_q[BM][3];
    __shared__ int64 row_source[2][BM];

    const int32 t = threadIdx.x;
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
    const int64 rows = p.batch * positions, m0 = static_cast<int64>(blockIdx.x) * BM;
    const int32 o0 = blockIdx.y * BN, group = blockIdx.z;
    // From here on, channels count from the first one of the group.
    x_ncq += group * p.in_group * p.x_channel;
    fill_c += p.fill_per_channel ? group * p.in_group : 0;
    w_kco += group * p.out_group;
    const int32 taps = p.kernel[0] * p.kernel[1] * p.kernel[2];
    const int32 depth = PADDED ? p.in_group : p.in_group * taps; // of the sum within one panel run

    if (t < BM) { // rows past the last one repeat it: loaded like it, never stored
        const int64 m = min(m0 + t, rows - 1), n = m / positions;
        const Position q = position(p, m - n * positions);
        row_n[t] = n;
        for (int a = 0; a < 3; ++a)
            row_q[t][a] = q.at[a];
        if constexpr (!PADDED)
            row_source[0][t] = n * p.x_batch + static_cast<int64>(q.at[0]) * p.stride[0] * p.x_axis[0] +
                               static_cast<int64>(q.at[1]) * p.stride[1] * p.x_axis[1] +
                               static_cast<int64>(q.at[2]) * p.stride[2] * p.x_axis[2];
    }
    __syncthreads();

    Acc a_next[A_LOADS], b_next[B_LOADS];
    int32 tap = -1, k0 = depth; // of the panel fetched last

    auto fetch = [&]() {
        k0 += BK;
        if (k0 >= depth) {
            k0 = 0;
            ++tap;
            if constexpr (PADDED) {
                if (t < BM) {
                    const int32 kw = tap % p.kernel[2], kh = tap / p.kernel[2] % p.kernel[1];
                    const int32 kd = tap / p.kernel[2] / p.kernel[1];
                    const int32 *table = reinterpret_cast<const int32 *>(index);
                    const int32 d = source(p, table, 0, row_q[t][0], kd);
                    const int32 h = source(p, table, 1, row_q[t][1], kh);
                    const int32 w = source(p, table, 2, row_q[t][2], kw);
                    row_source[tap & 1][t] = d < 0 || h < 0 || w < 0 ? OUTSIDE
                                                                     : row_n[t] * p.x_batch + d * p.x_axis[0] +
                                                                           h * p.x_axis[1] + w * p.x_axis[2];
                }
                __syncthreads();
            }
        }
#pragma unroll
        for (int i = 0; i < A_LOADS; ++i) {
            const int32 e = t + i * THREADS;
            const int32 row = CHANNELS_LAST ? e / BK : e % BM;
            const int32 k = k0 + (CHANNELS_LAST ? e % BK : e / BM);
            Acc value = 0;
            if (k < depth) {
                if constexpr (PADDED) {
                    const int64 from = row_source[tap & 1][row];
                    value = widen<Acc>(from == OUTSIDE ? fill_value(p, fill_c, k) : x_ncq[from + k * p.x_channel]);
                } else {
                    value = widen<Acc>(x_ncq[row_source[0][row] + index[k]]);
                }
            }
            a_next[i] = value;
        }
#pragma unroll
        for (int i = 0; i < B_LOADS; ++i) {
            const int32 e = t + i * THREADS, k = k0 + e / BN, o = o0 + e % BN;
            const bool inside = k < depth && o < p.out_group;
            const int64 row = static_cast<int64>(PADDED ? tap : 0) * p.in_group + k;
            b_next[i] = inside ? widen<Acc>(w_kco[row * p.packed_outputs + o]) : Acc(0);
        }
    };
    auto stash = [&](int32 buffer) {
#pragma unroll
        for (int i = 0; i < A_LOADS; ++i) {
            const int32 e = t + i * THREADS;
            a_km[buffer][CHANNELS_LAST ? e % BK : e / BM][CHANNELS_LAST ? e / BK : e % BM] = a_next[i];
        }
#pragma unroll
        for (int i = 0; i < B_LOADS; ++i) {
            const int32 e = t + i * THREADS;
            b_kn[buffer][e / BN][e % BN] = b_next[i];
        }
    };

    // Quads of rows BM / (TM / 4) apart: neighbouring threads read neighbouring 16-byte words.
    const int32 tm = (CHANNELS_LAST ? t / (BN / TN) : t % (BM / TM)) * 4;
    const int32 tn = (CHANNELS_LAST ? t % (BN / TN) : t / (BM / TM)) * 4;
    Acc sum[TM][TN] = {};
    fetch();
    stash(0);
    __syncthreads();
    int32 buffer = 0;
#pragma unroll 1
    for (bool more = true; more; buffer ^= 1) {
        more = k0 + BK < depth || (PADDED && tap + 1 < taps);
        if (more)
            fetch();
#pragma unroll 2
        for (int k = 0; k < BK; ++k) {
            Quad<Acc> a[TM / 4], b[TN / 4];
#pragma unroll
            for (int i = 0; i < TM / 4; ++i)
                a[i] = *reinterpret_cast<const Quad<Acc> *>(&a_km[buffer][k][tm + i * (BM / (TM / 4))]);
#pragma unroll
            for (int j = 0; j < TN / 4; ++j)
                b[j] = *reinterpret_cast<const Quad<Acc> *>(&b_kn[buffer][k][tn + j * (BN / (TN / 4))]);
#pragma unroll
            for (int i = 0; i < TM; ++i)
#pragma unroll
                for (int j = 0; j < TN; ++j)
                    sum[i][j] += a[i / 4].at[i % 4] * b[j / 4].at[j % 4];
        }
        if (more)
            stash(buffer ^ 1);
        __syncthreads();
    }

    const int32 first_out = group * p.out_group;
    const int32 here = min(rows - m0, static_cast<int64>(BM)); // one register through the loop, not four
#pragma unroll
    for (int i = 0; i < TM; ++i) {
        const int32 row = tm + i / 4 * (BM / (TM / 4)) + i % 4;
        if (row >= here)
            continue;
        const Position q = {{row_q[row][0], row_q[row][1], row_q[row][2]}};
        T *y_o = y_noq + row_n[row] * p.y_batch + output_offset(p, q);
#pragma unroll
        for (int j = 0; j < TN; ++j) {
            const int32 o = o0 + tn + j / 4 * (BN / (TN / 4)) + j % 4;
            if (o < p.out_group)
                y_o[(first_out + o) * p.y_channel] =
                    Narrow<T>::from(finished(p, sum[i][j], bias_o, residual_noq, row_n[row], first_out + o, q));
        }
    }
}
