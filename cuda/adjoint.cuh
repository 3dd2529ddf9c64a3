// What the adjoint kernels are told. Names are those of the forward convolution y = conv(x, w).

struct AdjointParams {
    int64 x_batch, x_channel, x_axis[3]; // strides, in elements
    int64 y_batch, y_channel, y_axis[3];
    int32 batch, in_channels, out_channels;
    int32 in_group, out_group;
    int32 packed_outputs;
    int32 size[3], kernel[3], stride[3], dilation[3], out[3];
    int32 table[3]; // where the table of each axis begins, or its inverse
    int32 has_bias;
};

// Sum of one value of each of 256 threads, in the same order every time; valid in thread 0.
template <class Acc> __device__ __forceinline__ Acc block_sum(Acc value) {
    __shared__ Acc partial[256];
    partial[threadIdx.x] = value;
    __syncthreads();
#pragma unroll 1
    for (int32 half = 128; half > 0; half /= 2) {
        if (threadIdx.x < half)
            partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    return partial[0];
}
