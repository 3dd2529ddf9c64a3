// Pooling of whole planes, and of planes in parts.
//
//   plane_mean      y[n, c] = sum_q x[n, c, q] / number of q
//   plane_largest   y[n, c] = max_q x[n, c, q]; a NaN is the largest
//   adaptive_mean   y[n, c, i] = mean of x[n, c, q] for floor(i s / m) <= q < ceil((i + 1) s / m), on each axis
//
// Planes: one block each, whose 256 threads take elements in turn and are combined in a tree; sums in
// float64. Parts: one thread each, x over parts, y over channels, z over the batch.

struct PlaneParams {
    int64 x_batch, x_channel, x_axis[3]; // strides, in elements
    int64 y_batch, y_channel, y_axis[3];
    int32 batch, channels;
    int32 size[3], out[3];
};

// Element i of the row-major (depth, height, width) plane.
__device__ __forceinline__ int64 plane_offset(const PlaneParams &p, int64 i) {
    const int64 row = i / p.size[2];
    return row / p.size[1] * p.x_axis[0] + row % p.size[1] * p.x_axis[1] + (i - row * p.size[2]) * p.x_axis[2];
}

__device__ __forceinline__ int64 elements(const PlaneParams &p) {
    return static_cast<int64>(p.size[0]) * p.size[1] * p.size[2];
}

template <class T>
__global__ void __launch_bounds__(256, 4) plane_mean(const T *__restrict__ x_nci, // IN
                                                     T *__restrict__ y_nc,        // OUT
                                                     const __grid_constant__ PlaneParams p) {
    const int64 size = elements(p);
#pragma unroll 1
    for (int32 n = blockIdx.y; n < p.batch; n += gridDim.y) {
        const T *x = x_nci + n * p.x_batch + blockIdx.x * p.x_channel;
        float64 sum = 0;
#pragma unroll 1
        for (int64 i = threadIdx.x; i < size; i += 256)
            sum += widen<float64>(x[plane_offset(p, i)]);
        sum = block_sum(sum);
        if (threadIdx.x == 0)
            y_nc[n * p.y_batch + blockIdx.x * p.y_channel] = Narrow<T>::from(sum / static_cast<float64>(size));
        __syncthreads();
    }
}

template <class Acc> __device__ __forceinline__ Acc larger(Acc a, Acc b) { return b > a || b != b ? b : a; }

template <class T, class Acc>
__global__ void __launch_bounds__(256, 4) plane_largest(const T *__restrict__ x_nci, // IN
                                                        T *__restrict__ y_nc,        // OUT
                                                        const __grid_constant__ PlaneParams p) {
    __shared__ Acc best[256];
    const int64 size = elements(p);
#pragma unroll 1
    for (int32 n = blockIdx.y; n < p.batch; n += gridDim.y) {
        const T *x = x_nci + n * p.x_batch + blockIdx.x * p.x_channel;
        Acc mine = widen<Acc>(x[0]);
#pragma unroll 1
        for (int64 i = threadIdx.x; i < size; i += 256)
            mine = larger(mine, widen<Acc>(x[plane_offset(p, i)]));
        best[threadIdx.x] = mine;
        __syncthreads();
#pragma unroll 1
        for (int32 half = 128; half > 0; half /= 2) {
            if (threadIdx.x < half)
                best[threadIdx.x] = larger(best[threadIdx.x], best[threadIdx.x + half]);
            __syncthreads();
        }
        if (threadIdx.x == 0)
            y_nc[n * p.y_batch + blockIdx.x * p.y_channel] = Narrow<T>::from(best[0]);
        __syncthreads();
    }
}

// The elements of part i of an axis.
struct Part {
    int32 start, stop;
};

__device__ __forceinline__ Part part(const PlaneParams &p, int32 a, int32 i) {
    const int64 size = p.size[a], parts = p.out[a];
    return {static_cast<int32>(i * size / parts), static_cast<int32>(((i + 1) * size + parts - 1) / parts)};
}

// Depth is averaged first, then height, then width: as one axis after the other.
template <class T, class Acc>
__global__ void __launch_bounds__(256, 4) adaptive_mean(const T *__restrict__ x_nci, // IN
                                                        T *__restrict__ y_ncq,       // OUT
                                                        const __grid_constant__ PlaneParams p) {
    const int64 q = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    if (q >= static_cast<int64>(p.out[0]) * p.out[1] * p.out[2])
        return;
    const Position at = position(p, q);
    const Part ds = part(p, 0, at.at[0]), hs = part(p, 1, at.at[1]), ws = part(p, 2, at.at[2]);
#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 c = blockIdx.y; c < p.channels; c += gridDim.y) {
            const T *x_q = x_nci + n * p.x_batch + c * p.x_channel;
            Acc sum = 0;
#pragma unroll 1
            for (int32 w = ws.start; w < ws.stop; ++w) {
                Acc line = 0;
#pragma unroll 1
                for (int32 h = hs.start; h < hs.stop; ++h) {
                    Acc point = 0;
#pragma unroll 1
                    for (int32 d = ds.start; d < ds.stop; ++d) {
                        const Acc value = widen<Acc>(x_q[d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2]]);
                        point = d == ds.start ? value : point + value;
                    }
                    point /= static_cast<Acc>(ds.stop - ds.start);
                    line = h == hs.start ? point : line + point;
                }
                line /= static_cast<Acc>(hs.stop - hs.start);
                sum = w == ws.start ? line : sum + line;
            }
            y_ncq[n * p.y_batch + c * p.y_channel + output_offset(p, at)] =
                Narrow<T>::from(sum / static_cast<Acc>(ws.stop - ws.start));
        }
}
