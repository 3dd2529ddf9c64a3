// Depthwise convolution and small groups, channels last: consecutive threads take consecutive
// output channels, so that input, weights and output are read and written in whole lines.
//
//   y[n, o, q] = b[o] + sum_{c in group(o), k} w[k, c, o] * x[n, c, e(q s + k d)]
//
// A thread makes COLS adjacent columns of one output row. KERNEL > 0: a window KERNEL wide with
// stride and dilation 1 along width; the COLS + KERNEL - 1 values under it are read once a row.
// Parallel: x over strips of COLS columns, y over tiles of 32 channels, z over the batch.

template <class T, class Acc, int COLS, int KERNEL>
__global__ void __launch_bounds__(256, 2)
    conv_channels_last(const T *__restrict__ x_ncq,        // IN
                       const T *__restrict__ w_kco,        // IN  packed
                       const Acc *__restrict__ bias_o,     // IN
                       const T *__restrict__ fill_c,       // IN  read if fill_per_channel
                       const int32 *__restrict__ table,    // IN
                       const T *__restrict__ residual_noq, // IN  or NULL
                       T *__restrict__ y_noq,              // OUT
                       const __grid_constant__ ConvParams p) {
    const int32 strips_w = (p.out[2] + COLS - 1) / COLS;
    const int64 strip = static_cast<int64>(blockIdx.x) * 8 + threadIdx.y;
    const int64 row = strip / strips_w;
    const int32 o = blockIdx.y * 32 + threadIdx.x;
    if (row >= static_cast<int64>(p.out[0]) * p.out[1] || o >= p.out_channels)
        return;
    const int32 w0 = (strip - row * strips_w) * COLS, h0 = row % p.out[1], d0 = row / p.out[1];
    const int32 columns = min(COLS, p.out[2] - w0);
    const int32 first = o / p.out_group * p.in_group;
    // Columns past the last output repeat the last window: read like it, never stored.
    constexpr int WINDOW = KERNEL > 0 ? COLS + KERNEL - 1 : 1;
    int32 source_w[WINDOW];
    if constexpr (KERNEL > 0)
#pragma unroll
        for (int j = 0; j < WINDOW; ++j)
            source_w[j] = table[p.table[2] + min(w0 + j, p.out[2] + KERNEL - 2)];

#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z) {
        Acc sum[COLS] = {};
#pragma unroll 1
        for (int32 c = 0; c < p.in_group; ++c) {
            const T *x_q = x_ncq + n * p.x_batch + (first + c) * p.x_channel;
            const T fill = fill_value(p, fill_c, first + c);
            const T *w_k = w_kco + static_cast<int64>(c) * p.packed_outputs + o;
            const int64 step = static_cast<int64>(p.in_group) * p.packed_outputs;
#pragma unroll 1
            for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
                const int32 d = source(p, table, 0, d0, kd);
#pragma unroll 1
                for (int32 kh = 0; kh < p.kernel[1]; ++kh) {
                    const int32 h = source(p, table, 1, h0, kh);
                    const bool outside = d < 0 || h < 0;
                    const T *x_w = x_q + d * p.x_axis[0] + h * p.x_axis[1];
                    if constexpr (KERNEL > 0) {
                        Acc value[WINDOW];
#pragma unroll
                        for (int j = 0; j < WINDOW; ++j)
                            value[j] = widen<Acc>(outside || source_w[j] < 0 ? fill : x_w[source_w[j] * p.x_axis[2]]);
#pragma unroll
                        for (int kw = 0; kw < KERNEL; ++kw, w_k += step) {
                            const Acc weight = widen<Acc>(*w_k);
#pragma unroll
                            for (int j = 0; j < COLS; ++j)
                                sum[j] += weight * value[j + kw];
                        }
                    } else {
#pragma unroll 1
                        for (int32 kw = 0; kw < p.kernel[2]; ++kw, w_k += step) {
                            const Acc weight = widen<Acc>(*w_k);
#pragma unroll
                            for (int j = 0; j < COLS; ++j) {
                                const int32 w = source(p, table, 2, min(w0 + j, p.out[2] - 1), kw);
                                sum[j] += weight * widen<Acc>(outside || w < 0 ? fill : x_w[w * p.x_axis[2]]);
                            }
                        }
                    }
                }
            }
        }
#pragma unroll
        for (int j = 0; j < COLS; ++j)
            if (j < columns)
                y_noq[n * p.y_batch + o * p.y_channel + output_offset(p, {{d0, h0, w0 + j}})] =
                    Narrow<T>::from(finished(p, sum[j], bias_o, residual_noq, n, o, {{d0, h0, w0 + j}}));
    }
}
