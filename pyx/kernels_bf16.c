/* AVX512-BF16: the register tiles on dot products of two bfloat16 values (dot_kernels in kernels.h). An element is a
 * pair of them: its bits, which are loaded, transposed and broadcast as those of any float32. */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v4,avx512bf16,prefer-vector-width=512")
#include <immintrin.h>
#include <string.h>

#include "compiler.h"
#include "kernels.h"

#if !defined(__clang__)
/* `total` is first read in the second round of the loop that sets it in the first. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define ISA bf16
#define VECTOR_BYTES 64
#define TILE_PIXELS 14
#define ELEMENT float
#define ELEMENT_NAME pairs
#define ELEMENT_SIZE 4
#define ELEMENT_FLOATS 0
#define MULTIPLY_ADD(sum, weight, value)                                                                               \
    ((sum) = (vector)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(value), (__m512bh)(weight)))
#include "microkernels.h"

/* `n` <= 16 values from s on, 1 or 2 apart, each in 32 bits; nothing behind the last is read. */
INLINE __m512i load_values(const char *s, int n, ptrdiff_t apart) {
    if (apart == 1)
        return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)_bzhi_u32(0xffff, (unsigned)n), s));
    const __mmask32 wanted = _bzhi_u32(~0u, n > 0 ? 2 * (unsigned)n - 1 : 0);
    return _mm512_and_si512(_mm512_maskz_loadu_epi16(wanted, s), _mm512_set1_epi32(0xffff));
}

INLINE uint32_t load_value(const char *s) {
    uint16_t value;
    memcpy(&value, s, sizeof value);
    return value;
}

INLINE void gather_pairs(float *row, const char *source, ptrdiff_t channel_stride, int channels, ptrdiff_t stride,
                         int n) {
    if (stride == 2 || stride == 4)
        for (int i = 0; i < n; i += 16) {
            const int some = n - i < 16 ? n - i : 16;
            const char *s = source + i * stride;
            __m512i v = load_values(s, some, stride / 2);
            if (channels > 1)
                v = _mm512_or_si512(v, _mm512_slli_epi32(load_values(s + channel_stride, some, stride / 2), 16));
            _mm512_mask_storeu_epi32(row + i, (__mmask16)_bzhi_u32(0xffff, (unsigned)some), v);
        }
    else
        for (int i = 0; i < n; i++) {
            uint32_t v = load_value(source + i * stride);
            if (channels > 1)
                v |= load_value(source + i * stride + channel_stride) << 16;
            memcpy(row + i, &v, sizeof v);
        }
}

static void load_pairs(void *row, const char *source, ptrdiff_t channel_stride, int channels, ptrdiff_t stride,
                       const panel_run *runs, int n_runs, const void *fill, ptrdiff_t fill_stride) {
    uint32_t outside = load_value(fill);
    if (channels > 1)
        outside |= load_value((const char *)fill + fill_stride) << 16;
    for (const panel_run *r = runs; r < runs + n_runs; r++)
        if (source == NULL || r->source < 0)
            for (int i = 0; i < r->length; i++)
                memcpy((float *)row + r->slot + i, &outside, sizeof outside);
        else
            gather_pairs((float *)row + r->slot, source + r->source * stride, channel_stride, channels,
                         r->step * stride, r->length);
}

static int usable(void) { return __builtin_cpu_supports("avx512bf16"); }

const dot_kernels implicitpad_pairs = {usable, 2, 0, BFLOAT16, &kernels_pairs_bf16, load_pairs, load_pairs, NULL};
#endif
