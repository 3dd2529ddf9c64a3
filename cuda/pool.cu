// Pooling, one thread per output element: any rank, mode, type and strides.
//
//   largest  y[n, c, q] = max_k x[n, c, e(q s + k d)]
//   mean     y[n, c, q] = sum_k x[n, c, e(q s + k d)] / number of k, or a given divisor
//
// Taps go in the order depth, height, width. A NaN in a window is its maximum. The index is that
// of the element in its plane: of equal elements the first, of NaNs the last, -1 if the padding is
// larger or there is no element. Table entries: -1 padding, ABSENT past it, which ceil mode allows.
// Parallel: x over output positions, y over channels, z over the batch.

struct PoolParams {
    int64 x_batch, x_channel, x_axis[3]; // strides, in elements
    int64 y_batch, y_channel, y_axis[3]; // of the values, and of the indices
    uint64 fill;
    int32 batch, channels, divisor; // divisor 0: the number of taps
    int32 size[3], kernel[3], stride[3], dilation[3], out[3], table[3];
    int32 fill_per_channel, fill_given, count_pad;
};

// Whether a takes the place of b as the maximum.
template <class Acc> __device__ __forceinline__ bool replaces(Acc a, Acc b) { return a > b || a != a; }

template <class T, class Acc>
__global__ void __launch_bounds__(256, 4) pool_largest(const T *__restrict__ x_ncq,     // IN
                                                       const T *__restrict__ fill_c,    // IN  read if fill_per_channel
                                                       const int32 *__restrict__ table, // IN
                                                       T *__restrict__ y_ncq,           // OUT
                                                       int64 *__restrict__ index_ncq,   // OUT  or null
                                                       const __grid_constant__ PoolParams p) {
    const int64 q = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    if (q >= static_cast<int64>(p.out[0]) * p.out[1] * p.out[2])
        return;
    const Position at = position(p, q);
#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 c = blockIdx.y; c < p.channels; c += gridDim.y) {
            const T *x_q = x_ncq + n * p.x_batch + c * p.x_channel;
            Acc best = 0;
            int64 index = -1;
            bool padded = false;
#pragma unroll 1
            for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
                const int32 d = source(p, table, 0, at.at[0], kd);
#pragma unroll 1
                for (int32 kh = 0; kh < p.kernel[1]; ++kh) {
                    const int32 h = source(p, table, 1, at.at[1], kh);
#pragma unroll 1
                    for (int32 kw = 0; kw < p.kernel[2]; ++kw) {
                        const int32 w = source(p, table, 2, at.at[2], kw);
                        if (d < 0 || h < 0 || w < 0) {
                            padded |= d != ABSENT && h != ABSENT && w != ABSENT;
                            continue;
                        }
                        const Acc value = widen<Acc>(x_q[d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2]]);
                        if (index < 0 || replaces(value, best)) {
                            best = value;
                            index = (static_cast<int64>(d) * p.size[1] + h) * p.size[2] + w;
                        }
                    }
                }
            }
            // Without a fill given it is the lowest value: the maximum of nothing.
            const Acc fill = widen<Acc>(fill_value(p, fill_c, c));
            if (index < 0 || (padded && p.fill_given && replaces(fill, best))) {
                best = fill;
                index = -1;
            }
            const int64 to = n * p.y_batch + c * p.y_channel + output_offset(p, at);
            y_ncq[to] = Narrow<T>::from(best);
            if (index_ncq)
                index_ncq[to] = index;
        }
}

template <class T, class Acc>
__global__ void __launch_bounds__(256, 4) pool_mean(const T *__restrict__ x_ncq,     // IN
                                                    const T *__restrict__ fill_c,    // IN  read if fill_per_channel
                                                    const int32 *__restrict__ table, // IN
                                                    T *__restrict__ y_ncq,           // OUT
                                                    const __grid_constant__ PoolParams p) {
    const int64 q = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    if (q >= static_cast<int64>(p.out[0]) * p.out[1] * p.out[2])
        return;
    const Position at = position(p, q);
#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 c = blockIdx.y; c < p.channels; c += gridDim.y) {
            const T *x_q = x_ncq + n * p.x_batch + c * p.x_channel;
            const T outside = fill_value(p, fill_c, c);
            Acc sum = 0;
            int32 count = 0;
#pragma unroll 1
            for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
                const int32 d = source(p, table, 0, at.at[0], kd);
#pragma unroll 1
                for (int32 kh = 0; kh < p.kernel[1]; ++kh) {
                    const int32 h = source(p, table, 1, at.at[1], kh);
#pragma unroll 1
                    for (int32 kw = 0; kw < p.kernel[2]; ++kw) {
                        const int32 w = source(p, table, 2, at.at[2], kw);
                        if (d == ABSENT || h == ABSENT || w == ABSENT)
                            continue;
                        const bool inside = d >= 0 && h >= 0 && w >= 0;
                        count += inside || p.count_pad;
                        sum += widen<Acc>(inside ? x_q[d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2]] : outside);
                    }
                }
            }
            y_ncq[n * p.y_batch + c * p.y_channel + output_offset(p, at)] =
                Narrow<T>::from(sum / static_cast<Acc>(p.divisor ? p.divisor : count));
        }
}
