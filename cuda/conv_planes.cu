// Depthwise convolution and small groups, channels first: one plane of the output per block.
//
//   y[n, o, q] = b[o] + sum_{c in group(o), k} w[k, c, o] * x[n, c, e(q s + k d)]
//
// A block brings the input under its tile of (height, width) into shared memory, padding included,
// once per channel of the group and tap along depth. A thread makes ROWS adjacent rows of COLS
// columns a block's width apart. KERNEL > 0: a KERNEL x KERNEL window with stride and dilation 1
// along height, whose column of ROWS + KERNEL - 1 values is read once for all its taps.
// Parallel: x over tiles and depth, y over output channels, z over the batch.

template <class T, class Acc, int COLS, int ROWS, int KERNEL>
__global__ void __launch_bounds__(256, 2) conv_planes(const T *__restrict__ x_ncq,     // IN
                                                      const T *__restrict__ w_kco,     // IN  packed
                                                      const Acc *__restrict__ bias_o,  // IN
                                                      const T *__restrict__ fill_c,    // IN  read if fill_per_channel
                                                      const int32 *__restrict__ table, // IN
                                                      const T *__restrict__ residual_noq, // IN  or NULL
                                                      T *__restrict__ y_noq,              // OUT
                                                      const __grid_constant__ ConvParams p) {
    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    const int32 tile_h = blockDim.y * ROWS, tile_w = blockDim.x * COLS;
    const int32 in_h = (tile_h - 1) * p.stride[1] + (p.kernel[1] - 1) * p.dilation[1] + 1;
    const int32 in_w = (tile_w - 1) * p.stride[2] + (p.kernel[2] - 1) * p.dilation[2] + 1;
    const int32 taps = p.kernel[1] * p.kernel[2];
    Acc *tile = reinterpret_cast<Acc *>(dynamic_shared); // (in_h, in_w)
    Acc *w_k = tile + in_h * in_w;                       // (height, width) of one tap along depth

    const int32 tiles_w = (p.out[2] + tile_w - 1) / tile_w;
    const int32 tiles_h = (p.out[1] + tile_h - 1) / tile_h;
    const int32 w0 = blockIdx.x % tiles_w * tile_w;
    const int32 h0 = blockIdx.x / tiles_w % tiles_h * tile_h;
    const int32 d0 = blockIdx.x / tiles_w / tiles_h;
    // Virtual rows and columns that some window reads; a tile at the end may hang over them.
    const int32 reach_h = (p.out[1] - 1) * p.stride[1] + (p.kernel[1] - 1) * p.dilation[1] + 1;
    const int32 reach_w = (p.out[2] - 1) * p.stride[2] + (p.kernel[2] - 1) * p.dilation[2] + 1;
    const int32 tx = threadIdx.x, ty = threadIdx.y;

#pragma unroll 1
    for (int32 n = blockIdx.z; n < p.batch; n += gridDim.z)
#pragma unroll 1
        for (int32 o = blockIdx.y; o < p.out_channels; o += gridDim.y) {
            Acc sum[ROWS][COLS] = {};
#pragma unroll 1
            for (int32 c = 0; c < p.in_group; ++c) {
                const int32 channel = o / p.out_group * p.in_group + c;
                const T *x_q = x_ncq + n * p.x_batch + channel * p.x_channel;
                const T fill = fill_value(p, fill_c, channel);
#pragma unroll 1
                for (int32 kd = 0; kd < p.kernel[0]; ++kd) {
                    const int32 d = source(p, table, 0, d0, kd);
                    for (int32 k = ty * blockDim.x + tx; k < taps; k += 256) {
                        const int64 row = static_cast<int64>(kd * taps + k) * p.in_group + c;
                        w_k[k] = widen<Acc>(w_kco[row * p.packed_outputs + o]);
                    }
#pragma unroll 1
                    for (int32 i = ty; i < in_h; i += blockDim.y) {
                        const int32 virtual_h = h0 * p.stride[1] + i;
                        const int32 h = virtual_h < reach_h ? table[p.table[1] + virtual_h] : -1;
#pragma unroll 1
                        for (int32 j = tx; j < in_w; j += blockDim.x) {
                            const int32 virtual_w = w0 * p.stride[2] + j;
                            const int32 w = virtual_w < reach_w ? table[p.table[2] + virtual_w] : -1;
                            const bool outside = d < 0 || h < 0 || w < 0;
                            tile[i * in_w + j] =
                                widen<Acc>(outside ? fill : x_q[d * p.x_axis[0] + h * p.x_axis[1] + w * p.x_axis[2]]);
                        }
                    }
                    __syncthreads();
                    if constexpr (KERNEL > 0) {
#pragma unroll 1
                        for (int kw = 0; kw < KERNEL; ++kw) {
                            Acc column[ROWS + KERNEL - 1];
#pragma unroll
                            for (int r = 0; r < ROWS + KERNEL - 1; ++r)
                                column[r] = tile[(ty * ROWS + r) * in_w + tx * p.stride[2] + kw * p.dilation[2]];
#pragma unroll
                            for (int kh = 0; kh < KERNEL; ++kh)
#pragma unroll
                                for (int r = 0; r < ROWS; ++r)
                                    sum[r][0] += w_k[kh * KERNEL + kw] * column[r + kh];
                        }
                    } else {
#pragma unroll 1
                        for (int32 kh = 0; kh < p.kernel[1]; ++kh)
#pragma unroll 1
                            for (int32 kw = 0; kw < p.kernel[2]; ++kw) {
                                const Acc weight = w_k[kh * p.kernel[2] + kw];
#pragma unroll
                                for (int r = 0; r < ROWS; ++r)
#pragma unroll
                                    for (int s = 0; s < COLS; ++s) {
                                        const int32 i = (ty * ROWS + r) * p.stride[1] + kh * p.dilation[1];
                                        const int32 j = (tx + s * blockDim.x) * p.stride[2] + kw * p.dilation[2];
                                        sum[r][s] += weight * tile[i * in_w + j];
                                    }
                            }
                    }
                    __syncthreads();
                }
            }
#pragma unroll
            for (int r = 0; r < ROWS; ++r)
#pragma unroll
                for (int s = 0; s < COLS; ++s) {
                    const int32 h = h0 + ty * ROWS + r, w = w0 + tx + s * blockDim.x;
                    if (h < p.out[1] && w < p.out[2])
                        y_noq[n * p.y_batch + o * p.y_channel + output_offset(p, {{d0, h, w}})] =
                            Narrow<T>::from(finished(p, sum[r][s], bias_o, residual_noq, n, o, {{d0, h, w}}));
                }
        }
}
