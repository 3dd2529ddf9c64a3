// What every convolution kernel is told, and how it finds an element of its input.
//
//   n batch   c input channel   o output channel   q output position   k tap   a axis (depth,
//   height, width; the axes a problem lacks come first, with one element and one tap)
//
// Guaranteed by the caller: every index of `table` is -1 or inside the input, strides are those
// of the arrays, weights are packed as w[k][c of the group][o], o padded to a multiple of four.

struct ConvParams {
    int64 x_batch, x_channel, x_axis[3]; // strides, in elements
    int64 y_batch, y_channel, y_axis[3];
    int64 r_batch, r_channel, r_axis[3]; // of the residual
    uint64 fill;                         // the scalar fill value, its bits in the low bytes
    uint64 slope, low, high;             // of the activation, as bits of the type of the sums
    int32 batch, out_channels, groups;
    int32 in_group, out_group; // channels per group
    int32 packed_outputs;      // length of a row of packed weights
    int32 kernel[3], stride[3], dilation[3], out[3];
    int32 table[3]; // where the table of each axis begins
    int32 fill_per_channel, has_bias, finishes;
};

// P below is ConvParams, or PoolParams, which has the same fields where both need them.

template <class X, class P> __device__ __forceinline__ X fill_value(const P &p, const X *fill_c, int32 c) {
    if (p.fill_per_channel)
        return fill_c[c];
    X value;
    memcpy(&value, &p.fill, sizeof(X));
    return value;
}

// Output position q of the row-major (depth, height, width) grid.
struct Position {
    int32 at[3];
};

template <class P> __device__ __forceinline__ Position position(const P &p, int64 q) {
    const int64 row = q / p.out[2];
    return {{static_cast<int32>(row / p.out[1]), static_cast<int32>(row % p.out[1]),
             static_cast<int32>(q - row * p.out[2])}};
}

template <class P> __device__ __forceinline__ int64 output_offset(const P &p, Position q) {
    return q.at[0] * p.y_axis[0] + q.at[1] * p.y_axis[1] + q.at[2] * p.y_axis[2];
}

// Source index of tap k of output q along axis a, -1 for the fill, ABSENT past the padding.
template <class P> __device__ __forceinline__ int32 source(const P &p, const int32 *table, int32 a, int32 q, int32 k) {
    return table[p.table[a] + q * p.stride[a] + k * p.dilation[a]];
}

template <class Acc> __device__ __forceinline__ Acc from_bits(uint64 bits) {
    Acc value;
    memcpy(&value, &bits, sizeof(Acc));
    return value;
}

// The output stage of every kernel: what is stored for the sum at batch n, channel o, position q.
// Bias and residual are added; z < 0 is multiplied by `slope`, and z held between `low` and `high`,
// if `finishes`. NaN compares false and stays.
template <class Y, class Acc>
__device__ __forceinline__ Acc finished(const ConvParams &p, Acc z, const Acc *bias_o, const Y *residual_noq, int32 n,
                                        int32 o, Position q) {
    if (p.has_bias)
        z += bias_o[o];
    if (p.finishes) {
        if (residual_noq)
            z += widen<Acc>(residual_noq[n * p.r_batch + o * p.r_channel + q.at[0] * p.r_axis[0] +
                                         q.at[1] * p.r_axis[1] + q.at[2] * p.r_axis[2]]);
        const Acc low = from_bits<Acc>(p.low), high = from_bits<Acc>(p.high);
        z = z < Acc(0) ? from_bits<Acc>(p.slope) * z : z;
        z = z < low ? low : z;
        z = z > high ? high : z;
    }
    return z;
}
