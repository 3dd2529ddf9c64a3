// The adjoint of convolution: transposed convolution, and the gradient for the input.
//
//   x[n, c, i] = b[c] + sum_{v: e(v) = i} sum_{o in group(c), k: q s + k d = v} w[k, c, o] y[n, o,
//   q]
//
// A gather: each thread makes one element of x from all that windows made of it, so that nothing
// is added twice in an order that changes. `inverse` lists, for every i of an axis, the virtual
// positions v that read it: one for constant padding, several where a mode repeats the input.
// Parallel: x over positions, y over channels of x, z over the batch.

// Output that tap k of a window reads from virtual position v, -1 if there is none.
__device__ __forceinline__ int32 window(const AdjointParams &p, int32 a, int32 v, int32 k) {
    const int32 reach = v - k * p.dilation[a];
    const int32 q = reach / p.stride[a];
    return reach >= 0 && q < p.out[a] && q * p.stride[a] == reach ? q : -1;
}

// All that the windows over virtual position (d, h, w) take from channel c.
template <class Acc, class Y, class W>
__device__ __forceinline__ Acc window_sum(const AdjointParams &p, const Y *y_oq, const W *w_kco, int32 c, int32 group,
                                          int32 d, int32 h, int32 w) {
    Acc sum = 0;
    int64 row = c - group * p.in_group;
#pragma unroll 1
    for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
        const int32 qd = window(p, 0, d, kd);
#pragma unroll 1
        for (int32 kh = 0; kh < p.kernel[1]; ++kh) {
            const int32 qh = window(p, 1, h, kh);
#pragma unroll 1
            for (int32 kw = 0; kw < p.kernel[2]; ++kw, row += p.in_group) {
                const int32 qw = window(p, 2, w, kw);
                if (qd < 0 || qh < 0 || qw < 0)
                    continue;
                const Y *y_o = y_oq + qd * p.y_axis[0] + qh * p.y_axis[1] + qw * p.y_axis[2];
#pragma unroll 1
                for (int32 j = 0; j < p.out_group; ++j) {
                    const int32 o = group * p.out_group + j;
                    sum += widen<Acc>(y_o[o * p.y_channel]) * widen<Acc>(w_kco[row * p.packed_outputs + o]);
                }
            }
        }
    }
    return sum;
}

template <class Y, class W, class Acc, class X>
__global__ void __launch_bounds__(256, 4)
    conv_adjoint(const Y *__restrict__ y_noq,       // IN
                 const W *__restrict__ w_kco,       // IN  packed
                 const Acc *__restrict__ bias_c,    // IN
                 const int32 *__restrict__ inverse, // IN  per axis: size + 1 bounds, positions
                 X *__restrict__ x_nci,             // OUT
                 const __grid_constant__ AdjointParams p) {
    const int64 i = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    const int64 row = i / p.size[2];
    const int32 at[3] = {static_cast<int32>(row / p.size[1]), static_cast<int32>(row % p.size[1]),
                         static_cast<int32>(i - row * p.size[2])};
    if (at[0] >= p.size[0])
        return;
    int32 first[3], last[3];
#pragma unroll
    for (int a = 0; a < 3; ++a) {
        first[a] = inverse[p.table[a] + at[a]];
        last[a] = inverse[p.table[a] + at[a] + 1];
    }
#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 c = blockIdx.y; c < p.in_channels; c += gridDim.y) {
            const int32 group = c / p.in_group;
            Acc sum = 0;
#pragma unroll 1
            for (int32 vd = first[0]; vd < last[0]; ++vd)
#pragma unroll 1
                for (int32 vh = first[1]; vh < last[1]; ++vh)
#pragma unroll 1
                    for (int32 vw = first[2]; vw < last[2]; ++vw)
                        sum += window_sum<Acc>(p, y_noq + n * p.y_batch, w_kco, c, group, inverse[vd], inverse[vh],
                                               inverse[vw]);
            if (p.has_bias)
                sum += bias_c[c];
            x_nci[n * p.x_batch + c * p.x_channel + at[0] * p.x_axis[0] + at[1] * p.x_axis[1] + at[2] * p.x_axis[2]] =
                Narrow<X>::from(sum);
        }
}
