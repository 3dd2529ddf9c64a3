// Gradients of pooling for input and fill value; v[n, c, q] is that for the output.
//
//   largest   x[n, c, i] = sum_{q: index[n, c, q] = i} v[n, c, q]
//             f[c]       = sum_{n, q: index[n, c, q] < 0} v[n, c, q]
//   mean      x[n, c, i] = sum_{q, k: e(q s + k d) = i} v[n, c, q] / number[q]
//             f[c]       = sum_{n, q} v[n, c, q] / number[q] * (taps of q outside the input)
//
// A gather: each thread makes one element of x from the windows that read it, so that nothing is
// added twice in an order that changes. `readers` lists, for every i of an axis, the outputs whose
// windows read it: for the largest once each, in rising order, so that sums run as the windows do;
// for the mean once for each tap, in the order of taps. `counts` holds, for every output of an
// axis, its taps in the input or the padding, then, for every output again, those in the input.
// Parallel: x over input positions, y over channels, z over the batch. Fills: x over channels, whose
// 256 threads take outputs in turn and are added in a tree.

struct PoolGradientParams {
    int64 x_batch, x_channel, x_axis[3]; // strides, in elements
    int64 y_batch, y_channel, y_axis[3]; // of the gradient for the output
    int32 batch, channels, divisor;      // divisor 0: the number of taps
    int32 size[3], out[3];
    int32 readers[3], counts[3]; // where those of each axis begin
    int32 count_pad;
};

// The windows that read one element of the input, on each axis.
struct Readers {
    int32 first[3], last[3];
};

__device__ __forceinline__ Position input_position(const PoolGradientParams &p, int64 i) {
    const int64 row = i / p.size[2];
    return {{static_cast<int32>(row / p.size[1]), static_cast<int32>(row % p.size[1]),
             static_cast<int32>(i - row * p.size[2])}};
}

__device__ __forceinline__ Readers readers_of(const PoolGradientParams &p, const int32 *readers, Position i) {
    Readers found;
#pragma unroll
    for (int a = 0; a < 3; ++a) {
        found.first[a] = readers[p.readers[a] + i.at[a]];
        found.last[a] = readers[p.readers[a] + i.at[a] + 1];
    }
    return found;
}

__device__ __forceinline__ int64 input_offset(const PoolGradientParams &p, Position i) {
    return i.at[0] * p.x_axis[0] + i.at[1] * p.x_axis[1] + i.at[2] * p.x_axis[2];
}

// Taps of the window of output q: in input and padding, or (`real` 1) in the input alone.
__device__ __forceinline__ int64 taps(const PoolGradientParams &p, const int32 *counts, Position q, int32 real) {
    int64 number = 1;
#pragma unroll
    for (int a = 0; a < 3; ++a)
        number *= counts[p.counts[a] + real * p.out[a] + q.at[a]];
    return number;
}

// What each tap of the window of output q passes on.
template <class Acc, class T>
__device__ __forceinline__ Acc share(const PoolGradientParams &p, const T *v_q, const int32 *counts, Position q) {
    const Acc value = widen<Acc>(v_q[output_offset(p, q)]);
    return value / static_cast<Acc>(p.divisor ? p.divisor : taps(p, counts, q, !p.count_pad));
}

template <class T, class Acc>
__global__ void __launch_bounds__(256, 4)
    pool_largest_gradient(const T *__restrict__ v_ncq,         // IN
                          const int64 *__restrict__ index_ncq, // IN  contiguous
                          const int32 *__restrict__ readers,   // IN  per axis: size + 1 bounds, outputs
                          T *__restrict__ x_nci,               // OUT
                          const __grid_constant__ PoolGradientParams p) {
    const int64 i = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    if (i >= static_cast<int64>(p.size[0]) * p.size[1] * p.size[2])
        return;
    const Position at = input_position(p, i);
    const Readers by = readers_of(p, readers, at);
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 c = blockIdx.y; c < p.channels; c += gridDim.y) {
            const T *v_q = v_ncq + n * p.y_batch + c * p.y_channel;
            const int64 *index_q = index_ncq + (static_cast<int64>(n) * p.channels + c) * positions;
            Acc sum = 0;
#pragma unroll 1
            for (int32 d = by.first[0]; d < by.last[0]; ++d)
#pragma unroll 1
                for (int32 h = by.first[1]; h < by.last[1]; ++h)
#pragma unroll 1
                    for (int32 w = by.first[2]; w < by.last[2]; ++w) {
                        const Position q = {{readers[d], readers[h], readers[w]}};
                        const int64 row = static_cast<int64>(q.at[0]) * p.out[1] + q.at[1];
                        if (index_q[row * p.out[2] + q.at[2]] == i)
                            sum += widen<Acc>(v_q[output_offset(p, q)]);
                    }
            x_nci[n * p.x_batch + c * p.x_channel + input_offset(p, at)] = Narrow<T>::from(sum);
        }
}

// Depth is summed first, then height, then width, each from its own zero: as one axis after the other.
template <class T, class Acc>
__global__ void __launch_bounds__(256, 4)
    pool_mean_gradient(const T *__restrict__ v_ncq,       // IN
                       const int32 *__restrict__ readers, // IN  per axis: size + 1 bounds, outputs
                       const int32 *__restrict__ counts,  // IN
                       T *__restrict__ x_nci,             // OUT
                       const __grid_constant__ PoolGradientParams p) {
    const int64 i = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    if (i >= static_cast<int64>(p.size[0]) * p.size[1] * p.size[2])
        return;
    const Position at = input_position(p, i);
    const Readers by = readers_of(p, readers, at);
#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 c = blockIdx.y; c < p.channels; c += gridDim.y) {
            const T *v_q = v_ncq + n * p.y_batch + c * p.y_channel;
            Acc sum = 0;
#pragma unroll 1
            for (int32 w = by.first[2]; w < by.last[2]; ++w) {
                Acc plane = 0;
#pragma unroll 1
                for (int32 h = by.first[1]; h < by.last[1]; ++h) {
                    Acc line = 0;
#pragma unroll 1
                    for (int32 d = by.first[0]; d < by.last[0]; ++d)
                        line += share<Acc>(p, v_q, counts, {{readers[d], readers[h], readers[w]}});
                    plane += line;
                }
                sum += plane;
            }
            x_nci[n * p.x_batch + c * p.x_channel + input_offset(p, at)] = Narrow<T>::from(sum);
        }
}

template <class T>
__global__ void __launch_bounds__(256, 4)
    pool_largest_fill_gradient(const T *__restrict__ v_ncq,         // IN
                               const int64 *__restrict__ index_ncq, // IN  contiguous
                               float64 *__restrict__ fill_c,        // OUT
                               const __grid_constant__ PoolGradientParams p) {
    const int32 c = blockIdx.x;
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
    float64 sum = 0;
#pragma unroll 1
    for (int64 i = threadIdx.x; i < p.batch * positions; i += 256) {
        const int64 n = i / positions, q = i - n * positions;
        if (index_ncq[(n * p.channels + c) * positions + q] < 0)
            sum += widen<float64>(v_ncq[n * p.y_batch + c * p.y_channel + output_offset(p, position(p, q))]);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        fill_c[c] = sum;
}

template <class T, class Acc>
__global__ void __launch_bounds__(256, 4) pool_mean_fill_gradient(const T *__restrict__ v_ncq,      // IN
                                                                  const int32 *__restrict__ counts, // IN
                                                                  float64 *__restrict__ fill_c,     // OUT
                                                                  const __grid_constant__ PoolGradientParams p) {
    const int32 c = blockIdx.x;
    const int64 positions = static_cast<int64>(p.out[0]) * p.out[1] * p.out[2];
    float64 sum = 0;
#pragma unroll 1
    for (int64 i = threadIdx.x; i < p.batch * positions; i += 256) {
        const int64 n = i / positions;
        const Position q = position(p, i - n * positions);
        const int64 outside = taps(p, counts, q, 0) - taps(p, counts, q, 1);
        sum += static_cast<float64>(share<Acc>(p, v_ncq + n * p.y_batch + c * p.y_channel, counts, q)) * outside;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        fill_c[c] = sum;
}
