// Storage types and their widening to the type that sums are kept in.
//
// float16 and bfloat16 are bare 16-bit words here, so that no header of the CUDA toolkit is
// needed to compile a kernel; they are widened to float32 when loaded, rounded when stored.

using int8 = signed char;
using uint8 = unsigned char;
using int16 = short;
using uint16 = unsigned short;
using int32 = int;
using uint32 = unsigned;
using int64 = long long;
using uint64 = unsigned long long;
using float32 = float;
using float64 = double;
struct float16 {
    uint16 bits;
};
struct bfloat16 {
    uint16 bits;
};

template <class Acc, class T> __device__ __forceinline__ Acc widen(T value) { return static_cast<Acc>(value); }

template <> __device__ __forceinline__ float32 widen<float32, float16>(float16 value) {
    return half_bits_to_float(value.bits);
}

template <> __device__ __forceinline__ float32 widen<float32, bfloat16>(bfloat16 value) {
    return __uint_as_float(static_cast<uint32>(value.bits) << 16);
}

template <> __device__ __forceinline__ float64 widen<float64, float16>(float16 value) { return widen<float32>(value); }

template <> __device__ __forceinline__ float64 widen<float64, bfloat16>(bfloat16 value) {
    return widen<float32>(value);
}

template <class T> struct Narrow {
    template <class Acc> static __device__ __forceinline__ T from(Acc value) { return static_cast<T>(value); }
};

template <> struct Narrow<float16> {
    static __device__ __forceinline__ float16 from(float32 value) { return float16{float_to_half_bits(value)}; }
    static __device__ __forceinline__ float16 from(float64 value) { return float16{double_to_half_bits(value)}; }
};

// Round to nearest even in integers: the instruction for it begins with sm_80. A float64 goes by way
// of float32, as on the CPU.
template <> struct Narrow<bfloat16> {
    static __device__ __forceinline__ bfloat16 from(float32 value) {
        const uint32 word = __float_as_uint(value);
        const uint32 rounded = (word + 0x7fffu + ((word >> 16) & 1u)) >> 16;
        const bool is_nan = (word & 0x7fffffffu) > 0x7f800000u;
        return bfloat16{static_cast<uint16>(is_nan ? (word >> 16) | 0x40u : rounded)};
    }
    static __device__ __forceinline__ bfloat16 from(float64 value) { return from(static_cast<float32>(value)); }
};
