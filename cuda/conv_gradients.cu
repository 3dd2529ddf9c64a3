// Gradients of convolution for weights, bias and fill value; v[n, o, q] is that for the output.
//
//   weight   w[o, c, k] = sum_{n, q}              v[n, o, q] x[n, c, e(q s + k d)]
//   bias     b[o]       = sum_{n, q}              v[n, o, q]
//   fill     f[c]       = sum_{n, q, o, k: fill}  v[n, o, q] w[o, c, k]
//
// One block makes one element: its 256 threads take positions in turn and their sums are added in
// a tree, so that the same call gives the same bits.
// Parallel: weight: x over taps and channels of a group, y over o. bias, fill: x over channels.

template <class T, class Acc>
__global__ void __launch_bounds__(256, 4)
    conv_weight_gradient(const T *__restrict__ v_noq,     // IN
                         const T *__restrict__ x_nci,     // IN
                         const T *__restrict__ fill_c,    // IN  one value for each channel
                         const int32 *__restrict__ table, // IN
                         T *__restrict__ w_ock,           // OUT  contiguous
                         const __grid_constant__ AdjointParams p) {
    const int32 taps = p.kernel[0] * p.kernel[1] * p.kernel[2];
    const int32 c = blockIdx.x / taps, k = blockIdx.x % taps;
    const int32 kw = k % p.kernel[2], kh = k / p.kernel[2] % p.kernel[1];
    const int32 kd = k / p.kernel[2] / p.kernel[1];
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
#pragma unroll 1
    for (int32 o = blockIdx.y; o < p.out_channels; o += gridDim.y) {
        const int32 channel = o / p.out_group * p.in_group + c;
        const Acc outside = widen<Acc>(fill_c[channel]);
        Acc sum = 0;
#pragma unroll 1
        for (int64 i = threadIdx.x; i < p.batch * positions; i += 256) {
            const int64 n = i / positions, q = i - n * positions, row = q / p.out[2];
            const int32 qd = row / p.out[1], qh = row % p.out[1], qw = q - row * p.out[2];
            const int32 d = table[p.table[0] + qd * p.stride[0] + kd * p.dilation[0]];
            const int32 h = table[p.table[1] + qh * p.stride[1] + kh * p.dilation[1]];
            const int32 w = table[p.table[2] + qw * p.stride[2] + kw * p.dilation[2]];
            Acc value = outside;
            if (d >= 0 && h >= 0 && w >= 0)
                value = widen<Acc>(
                    x_nci[n * p.x_batch + channel * p.x_channel + d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2]]);
            sum += value *
                   widen<Acc>(
                       v_noq[n * p.y_batch + o * p.y_channel + qd * p.y_axis[0] + qh * p.y_axis[1] + qw * p.y_axis[2]]);
        }
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            w_ock[(static_cast<int64>(o) * p.in_group + c) * taps + k] = Narrow<T>::from(sum);
        __syncthreads();
    }
}

template <class T, class Acc, class To>
__global__ void __launch_bounds__(256, 4) conv_bias_gradient(const T *__restrict__ v_noq, // IN
                                                             To *__restrict__ bias_o,     // OUT
                                                             const __grid_constant__ AdjointParams p) {
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
    Acc sum = 0;
#pragma unroll 1
    for (int64 i = threadIdx.x; i < p.batch * positions; i += 256) {
        const int64 n = i / positions, q = i - n * positions, row = q / p.out[2];
        const int32 qd = row / p.out[1], qh = row % p.out[1], qw = q - row * p.out[2];
        sum += widen<Acc>(
            v_noq[n * p.y_batch + blockIdx.x * p.y_channel + qd * p.y_axis[0] + qh * p.y_axis[1] + qw * p.y_axis[2]]);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        bias_o[blockIdx.x] = Narrow<To>::from(sum);
}

template <class T, class Acc, class To>
__global__ void __launch_bounds__(256, 4) conv_fill_gradient(const T *__restrict__ v_noq,     // IN
                                                             const T *__restrict__ w_kco,     // IN  packed
                                                             const int32 *__restrict__ table, // IN
                                                             To *__restrict__ fill_c,         // OUT
                                                             const __grid_constant__ AdjointParams p) {
    const int32 c = blockIdx.x, group = c / p.in_group;
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
    Acc sum = 0;
#pragma unroll 1
    for (int64 i = threadIdx.x; i < p.batch * positions; i += 256) {
        const int64 n = i / positions, q = i - n * positions, row = q / p.out[2];
        const int32 qd = row / p.out[1], qh = row % p.out[1], qw = q - row * p.out[2];
        const T *v_o = v_noq + n * p.y_batch + qd * p.y_axis[0] + qh * p.y_axis[1] + qw * p.y_axis[2];
        int64 k = c - group * p.in_group;
#pragma unroll 1
        for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
            const int32 d = table[p.table[0] + qd * p.stride[0] + kd * p.dilation[0]];
#pragma unroll 1
            for (int32 kh = 0; kh < p.kernel[1]; ++kh) {
                const int32 h = table[p.table[1] + qh * p.stride[1] + kh * p.dilation[1]];
#pragma unroll 1
                for (int32 kw = 0; kw < p.kernel[2]; ++kw, k += p.in_group) {
                    const int32 w = table[p.table[2] + qw * p.stride[2] + kw * p.dilation[2]];
                    if (d >= 0 && h >= 0 && w >= 0)
                        continue;
#pragma unroll 1
                    for (int32 j = 0; j < p.out_group; ++j) {
                        const int32 o = group * p.out_group + j;
                        sum += widen<Acc>(v_o[o * p.y_channel]) * widen<Acc>(w_kco[k * p.packed_outputs + o]);
                    }
                }
            }
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        fill_c[c] = Narrow<To>::from(sum);
}
