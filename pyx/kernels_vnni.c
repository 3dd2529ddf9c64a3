/* AVX-512 VNNI: the register tiles on dot products of four bytes (dot_kernels in kernels.h). */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v4,avx512vnni,prefer-vector-width=512")
#include <immintrin.h>
#include <string.h>

#include "compiler.h"
#include "kernels.h"

#if !defined(__clang__)
/* `total` is first read in the second round of the loop that sets it in the first. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define ISA vnni
#define VECTOR_BYTES 64
#define TILE_PIXELS 14
#define ELEMENT uint32_t
#define ELEMENT_NAME bytes
#define ELEMENT_SIZE 4
#define ELEMENT_FLOATS 0
#define MULTIPLY_ADD(sum, weight, value)                                                                               \
    ((sum) = (vector)_mm512_dpbusd_epi32((__m512i)(sum), (__m512i)(value), (__m512i)(weight)))
#include "microkernels.h"

/* `n` <= 16 bytes from s on, 1 or 2 apart; nothing behind the last is read. */
INLINE __m128i load_bytes(const char *s, int n, ptrdiff_t apart) {
    if (apart == 1)
        return _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xffff, (unsigned)n), s);
    return _mm256_cvtepi16_epi8(_mm256_maskz_loadu_epi8(_bzhi_u32(~0u, n > 0 ? 2 * (unsigned)n - 1 : 0), s));
}

/* Sixteen positions of four channels. */
INLINE __m512i interleave_bytes(__m128i a, __m128i b, __m128i c, __m128i d) {
    const __m128i ab0 = _mm_unpacklo_epi8(a, b), ab1 = _mm_unpackhi_epi8(a, b);
    const __m128i cd0 = _mm_unpacklo_epi8(c, d), cd1 = _mm_unpackhi_epi8(c, d);
    const __m256i low = _mm256_set_m128i(_mm_unpackhi_epi16(ab0, cd0), _mm_unpacklo_epi16(ab0, cd0));
    const __m256i high = _mm256_set_m128i(_mm_unpackhi_epi16(ab1, cd1), _mm_unpacklo_epi16(ab1, cd1));
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

INLINE void gather_bytes(uint32_t *row, const char *source, ptrdiff_t channel_stride, int channels, ptrdiff_t stride,
                         int n, uint32_t flip) {
    if (stride == 1 || stride == 2)
        for (int i = 0; i < n; i += 16) {
            const int some = n - i < 16 ? n - i : 16;
            const char *s = source + i * stride;
            __m128i x[4];
            UNROLL for (int c = 0; c < 4; c++) x[c] =
                c < channels ? load_bytes(s + c * channel_stride, some, stride) : _mm_setzero_si128();
            const __m512i v = _mm512_xor_si512(interleave_bytes(x[0], x[1], x[2], x[3]), _mm512_set1_epi32((int)flip));
            _mm512_mask_storeu_epi32(row + i, (__mmask16)_bzhi_u32(0xffff, (unsigned)some), v);
        }
    else if (channel_stride == 1 && channels == 4) /* channels last */
        for (int i = 0; i < n; i++) {
            memcpy(row + i, source + i * stride, 4);
            row[i] ^= flip;
        }
    else
        for (int i = 0; i < n; i++) {
            uint32_t v = flip;
            for (int c = 0; c < channels; c++)
                v ^= (uint32_t)(uint8_t)source[i * stride + c * channel_stride] << 8 * c;
            row[i] = v;
        }
}

INLINE void load_bytes_of_channels(uint32_t *row, const char *source, ptrdiff_t channel_stride, int channels,
                                   ptrdiff_t stride, const panel_run *runs, int n_runs, const uint8_t *fill,
                                   ptrdiff_t fill_stride, uint32_t flip) {
    uint32_t outside = flip;
    for (int c = 0; c < channels; c++)
        outside ^= (uint32_t)fill[c * fill_stride] << 8 * c;
    for (const panel_run *r = runs; r < runs + n_runs; r++)
        if (source == NULL || r->source < 0)
            for (int i = 0; i < r->length; i++)
                row[r->slot + i] = outside;
        else
            gather_bytes(row + r->slot, source + r->source * stride, channel_stride, channels, r->step * stride,
                         r->length, flip);
}

static void load_signed(void *row, const char *source, ptrdiff_t channel_stride, int channels, ptrdiff_t stride,
                        const panel_run *runs, int n_runs, const void *fill, ptrdiff_t fill_stride) {
    load_bytes_of_channels(row, source, channel_stride, channels, stride, runs, n_runs, fill, fill_stride, 0x80808080u);
}

static void load_unsigned(void *row, const char *source, ptrdiff_t channel_stride, int channels, ptrdiff_t stride,
                          const panel_run *runs, int n_runs, const void *fill, ptrdiff_t fill_stride) {
    load_bytes_of_channels(row, source, channel_stride, channels, stride, runs, n_runs, fill, fill_stride, 0);
}

static int usable(void) { return __builtin_cpu_supports("avx512vnni"); }

const dot_kernels implicitpad_signed_bytes = {
    usable, 4, 128, INT8, &kernels_bytes_vnni, load_signed, load_unsigned, &implicitpad_byte_planes};
const dot_kernels implicitpad_unsigned_bytes = {
    usable, 4, 0, INT8, &kernels_bytes_vnni, load_unsigned, load_unsigned, &implicitpad_byte_planes};
#endif
