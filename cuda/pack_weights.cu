// Weights (or a bias) into the layout of the kernels, in the type they are read in:
//
//   packed[k][c][o] = w[o][c][k]     o < outputs
//                     0              outputs <= o < packed_outputs
//
// One thread per packed element; w has any strides. Every kernel reads this one layout: o is
// contiguous for tiles over output channels, and for depthwise weights o is the channel.

struct PackParams {
    int64 w_out, w_in, w_axis[3]; // strides, in elements
    int32 outputs, packed_outputs, inputs, kernel[3];
};

template <class From, class To>
__global__ void __launch_bounds__(256)
    pack_weights(const From *__restrict__ w_ock, To *__restrict__ w_kco, const __grid_constant__ PackParams p) {
    const int64 i = static_cast<int64>(blockIdx.x) * 256 + threadIdx.x;
    const int64 row = i / p.packed_outputs, tap = row / p.inputs;
    const int32 o = i - row * p.packed_outputs, c = row - tap * p.inputs;
    const int32 kw = tap % p.kernel[2], kh = tap / p.kernel[2] % p.kernel[1];
    const int64 kd = tap / p.kernel[2] / p.kernel[1];
    if (kd >= p.kernel[0])
        return;
    To value = To();
    if (o < p.outputs)
        value = widen<To>(w_ock[o * p.w_out + c * p.w_in + kd * p.w_axis[0] + kh * p.w_axis[1] + kw * p.w_axis[2]]);
    w_kco[i] = value;
}
