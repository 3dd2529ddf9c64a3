// Convolution of few input channels (the stem of a network, an image): weights in shared memory.
//
//   y[n, o, q] = b[o] + sum_{k, c} w[k, c, o] * x[n, c, e(q s + k d)]
//
// With C f^2 of about a hundred, the panels of a matrix product would be mostly lanes past the
// last channel. Here a thread keeps PIXELS x OUTPUTS sums; each input element it reads serves
// OUTPUTS of them and each weight, read by all threads at once, PIXELS.
// Parallel: x over positions, y over tiles of output channels of all groups, z over the batch.

template <class T, class Acc, int PIXELS, int OUTPUTS>
__global__ void __launch_bounds__(128, 2)
    conv_few_channels(const T *__restrict__ x_ncq,        // IN
                      const T *__restrict__ w_kco,        // IN  packed
                      const Acc *__restrict__ bias_o,     // IN
                      const T *__restrict__ fill_c,       // IN  read if fill_per_channel
                      const int32 *__restrict__ table,    // IN
                      const T *__restrict__ residual_noq, // IN  or NULL
                      T *__restrict__ y_noq,              // OUT
                      const __grid_constant__ ConvParams p) {
    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    Acc *w_ko = reinterpret_cast<Acc *>(dynamic_shared); // (taps x channels, OUTPUTS)
    const int32 tiles = (p.out_group + OUTPUTS - 1) / OUTPUTS;
    const int32 group = blockIdx.y / tiles, o0 = blockIdx.y % tiles * OUTPUTS;
    const int32 first_in = group * p.in_group, first_out = group * p.out_group + o0;
    const int32 outputs = min(OUTPUTS, p.out_group - o0);
    const int32 rows = p.kernel[0] * p.kernel[1] * p.kernel[2] * p.in_group;
    for (int32 i = threadIdx.x; i < rows * OUTPUTS; i += 128) {
        const int32 row = i / OUTPUTS, o = i % OUTPUTS;
        w_ko[i] = o < outputs ? widen<Acc>(w_kco[static_cast<int64>(row) * p.packed_outputs + first_out + o]) : Acc(0);
    }
    __syncthreads();

    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
    const int64 q0 = static_cast<int64>(blockIdx.x) * (128 * PIXELS) + threadIdx.x;
    Position at[PIXELS];
#pragma unroll
    for (int i = 0; i < PIXELS; ++i)
        at[i] = position(p, min(q0 + i * 128, positions - 1));

#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z) {
        const T *x_cq = x_ncq + n * p.x_batch + first_in * p.x_channel;
        Acc sum[PIXELS][OUTPUTS] = {};
        const Acc *w_o = w_ko;
#pragma unroll 1
        for (int32 kd = 0; kd < p.kernel[0]; ++kd)
#pragma unroll 1
            for (int32 kh = 0; kh < p.kernel[1]; ++kh)
#pragma unroll 1
                for (int32 kw = 0; kw < p.kernel[2]; ++kw) {
                    int64 from[PIXELS];
                    bool outside[PIXELS];
#pragma unroll
                    for (int i = 0; i < PIXELS; ++i) {
                        const int32 d = source(p, table, 0, at[i].at[0], kd);
                        const int32 h = source(p, table, 1, at[i].at[1], kh);
                        const int32 w = source(p, table, 2, at[i].at[2], kw);
                        outside[i] = d < 0 || h < 0 || w < 0;
                        from[i] = d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2];
                    }
#pragma unroll 1
                    for (int32 c = 0; c < p.in_group; ++c, w_o += OUTPUTS) {
                        const T fill = fill_value(p, fill_c, first_in + c);
                        Acc value[PIXELS];
#pragma unroll
                        for (int i = 0; i < PIXELS; ++i)
                            value[i] = widen<Acc>(outside[i] ? fill : x_cq[from[i] + c * p.x_channel]);
#pragma unroll
                        for (int o = 0; o < OUTPUTS; ++o)
#pragma unroll
                            for (int i = 0; i < PIXELS; ++i)
                                sum[i][o] += value[i] * w_o[o];
                    }
                }
#pragma unroll
        for (int i = 0; i < PIXELS; ++i) {
            if (q0 + i * 128 >= positions)
                continue;
            T *y_o = y_noq + n * p.y_batch + output_offset(p, at[i]);
#pragma unroll
            for (int o = 0; o < OUTPUTS; ++o)
                if (o < outputs)
                    y_o[(first_out + o) * p.y_channel] =
                        Narrow<T>::from(finished(p, sum[i][o], bias_o, residual_noq, n, first_out + o, at[i]));
        }
    }
}
