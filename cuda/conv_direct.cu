// Convolution, one thread per output element: any types, rank, mode, groups and strides.
//
//   y[n, o, q] = b[o] + sum_{c in group(o), k} w[k, c, o] * x[n, c, e(q s + k d)]
//
// The order of the sum is channel, depth, height, width. This kernel has no tiles and no special
// cases: the others are checked against it, and it runs what they do not. Loops stay rolled:
// unrolled they would only make fourteen instantiations slow to compile. Parallel: x over output
// positions, y over output channels, z over the batch.

template <class X, class W, class Acc, class Y>
__global__ void __launch_bounds__(256, 4) conv_direct(const X *__restrict__ x_ncq,     // IN
                                                      const W *__restrict__ w_kco,     // IN  packed
                                                      const Acc *__restrict__ bias_o,  // IN
                                                      const X *__restrict__ fill_c,    // IN  read if fill_per_channel
                                                      const int32 *__restrict__ table, // IN
                                                      const Y *__restrict__ residual_noq, // IN  or NULL
                                                      Y *__restrict__ y_noq,              // OUT
                                                      const __grid_constant__ ConvParams p) {
    const int64 q = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    if (q >= static_cast<int64>(p.out[0]) * p.out[1] * p.out[2])
        return;
    const Position at = position(p, q);
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
        for (int32 o = blockIdx.y; o < p.out_channels; o += gridDim.y) {
            const int32 first = o / p.out_group * p.in_group;
            Acc sum = 0;
#pragma unroll 1
            for (int32 c = 0; c < p.in_group; ++c) {
                const X *x_q = x_ncq + n * p.x_batch + (first + c) * p.x_channel;
                const X outside = fill_value(p, fill_c, first + c);
                int64 row = static_cast<int64>(c) * p.packed_outputs + o;
#pragma unroll 1
                for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
                    const int32 d = source(p, table, 0, at.at[0], kd);
#pragma unroll 1
                    for (int32 kh = 0; kh < p.kernel[1]; ++kh) {
                        const int32 h = source(p, table, 1, at.at[1], kh);
#pragma unroll 1
                        for (int32 kw = 0; kw < p.kernel[2]; ++kw) {
                            const int32 w = source(p, table, 2, at.at[2], kw);
                            const X value = d < 0 || h < 0 || w < 0
                                                ? outside
                                                : x_q[d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2]];
                            sum += widen<Acc>(value) * widen<Acc>(w_kco[row]);
                            row += static_cast<int64>(p.in_group) * p.packed_outputs;
                        }
                    }
                }
            }
            y_noq[n * p.y_batch + o * p.y_channel + output_offset(p, at)] =
                Narrow<Y>::from(finished(p, sum, bias_o, residual_noq, n, o, at));
        }
}
