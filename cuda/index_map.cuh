// The index map: padding as a function from virtual to real indices.
//
//   e(i, n, mode) = i        inside, 0 <= i < n
//                   -1       outside, constant: the fill value
//                   0..n-1   outside, the other modes
//
//   replicate   a a a | a b c d | d d d      clamp
//   reflect     d c b | a b c d | c b a      the edge once, period 2n - 2
//   symmetric   c b a | a b c d | d c b      the edge twice, period 2n
//   circular    b c d | a b c d | a b c      period n
//
// The period is 64 bits wide: twice the longest axis passes 2^31.

constexpr int32 ABSENT = -2; // in tables: a position past the padding, which belongs to no window

enum Mode { CONSTANT, REPLICATE, REFLECT, SYMMETRIC, CIRCULAR };

__device__ __forceinline__ int32 source_index(int64 i, int64 n, int32 mode) {
    if (0 <= i && i < n)
        return static_cast<int32>(i);
    if (mode == CONSTANT || n <= 0)
        return -1;
    if (mode == REPLICATE)
        return static_cast<int32>(i < 0 ? 0 : n - 1);
    if (mode == REFLECT && n == 1)
        return 0;
    const int64 period = mode == CIRCULAR ? n : mode == REFLECT ? 2 * n - 2 : 2 * n;
    const int64 phase = ((i % period) + period) % period;
    if (phase < n)
        return static_cast<int32>(phase);
    return static_cast<int32>(mode == REFLECT ? period - phase : period - 1 - phase);
}
