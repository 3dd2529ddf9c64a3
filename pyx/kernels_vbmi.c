/* AVX-512 VNNI and VBMI: planes of bytes (plane_strip in kernels.h) by dot products of four neighbouring taps of a row.
 *
 * In the 64 bytes that a load brings, sixteen neighbouring outputs find all that they see of an input row. A
 * permutation gives each the bytes of four taps, whatever stride and dilation; the next four taps are the same
 * permutation further on. Input rows are loaded once and added to all the output rows that see them, whose
 * accumulators move on by one.
 */
#if defined(__x86_64__) && defined(__GNUC__)
#pragma GCC target("arch=x86-64-v4,avx512vnni,avx512vbmi,prefer-vector-width=512")
#include <immintrin.h>
#include <string.h>

#include "compiler.h"
#include "kernels.h"

#define ISA vbmi
#include "rows.h"
LOAD_ROW(byte, uint8_t, uint8_t, SAME, COPY)

enum { LANES = 16, MOST_VECTORS = 4 };

/* Of 64 columns from `at` on, those in [from, to). */
INLINE __mmask64 columns_inside(int at, int from, int to) {
    from = from < at ? 0 : from - at;
    to = to < at ? 0 : to - at;
    return _bzhi_u64(~0ull, to < 64 ? (unsigned)to : 64) & (from < 64 ? ~0ull << from : 0);
}

/* `one`: kernels of one depth and at most four columns. Weights: [columns / 4][depth][height], four taps each. */
INLINE void rolling(const int height, const int stride, const int vectors, const int one, const plane_strip *strip) {
    const plane_strip local = *strip, *const s = &local; /* which the outputs do not alias */
    const int live = (height + stride - 1) / stride;     /* output rows that see an input row */
    const int depth = one ? 1 : s->depth, groups = one ? 1 : (s->width + 3) / 4;
    const ptrdiff_t *rows = s->rows;
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint32_t taps = (uint32_t)s->dilation * 0x03020100;
    const __m512i first =
        _mm512_add_epi8(_mm512_mullo_epi32(lane, _mm512_set1_epi32(stride * 0x01010101)), _mm512_set1_epi32((int)taps));
    const __m512i next = _mm512_set1_epi8((char)(4 * s->dilation));
    const __m512i fill = _mm512_set1_epi8(*(const char *)s->fill_row), flip = _mm512_set1_epi32((int)s->flip);
    const __m512i bias = _mm512_set1_epi32(*(const int32_t *)s->bias);
    const __mmask16 last = (__mmask16)_bzhi_u32(0xffff, (unsigned)(s->count - (vectors - 1) * LANES));
    __m512i acc[PLANE_ROLLING][MOST_VECTORS]; /* of the output rows in sight, youngest first */
    __mmask64 inside[MOST_VECTORS];

    UNROLL for (int v = 0; v < vectors; v++) inside[v] = columns_inside(v * stride * LANES, s->from, s->to);
    UNROLL for (int i = 0; i < live; i++) UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = bias;
    for (int row = 1 - live; row < s->n; row++) { /* the oldest, complete at the end of the round */
        UNROLL for (int r = 0; r < stride; r++) for (int d = 0; d < depth; d++, rows++) {
            if (r >= height)
                continue;
            __m512i line[MOST_VECTORS], place = first;
            UNROLL for (int v = 0; v < vectors; v++) {
                line[v] = fill;
                if (*rows != NO_ROW)
                    line[v] = _mm512_mask_loadu_epi8(fill, inside[v], s->x + *rows + v * stride * LANES);
                line[v] = _mm512_xor_si512(line[v], flip);
            }
            for (int g = 0; g < groups; g++, place = _mm512_add_epi8(place, next)) {
                const uint32_t *weights = (const uint32_t *)s->weights + ((ptrdiff_t)g * depth + d) * height;
                __m512i value[MOST_VECTORS];
                UNROLL for (int v = 0; v < vectors; v++) value[v] = _mm512_permutexvar_epi8(place, line[v]);
                UNROLL for (int i = 0; i < live; i++) if (r + stride * i < height) {
                    const __m512i w = _mm512_set1_epi32((int)weights[r + stride * i]);
                    UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = _mm512_dpbusd_epi32(acc[i][v], value[v], w);
                }
            }
        }
        if (row >= 0) {
            uint32_t *y = (void *)(s->y + row * s->y_row);
            if (s->stream)
                UNROLL for (int v = 0; v < vectors; v++) _mm512_stream_si512((void *)(y + v * LANES), acc[live - 1][v]);
            else {
                UNROLL for (int v = 0; v < vectors - 1; v++) _mm512_storeu_si512(y + v * LANES, acc[live - 1][v]);
                _mm512_mask_storeu_epi32(y + (vectors - 1) * LANES, last, acc[live - 1][vectors - 1]);
            }
        }
        UNROLL for (int i = live - 1; i > 0; i--) UNROLL for (int v = 0; v < vectors; v++) acc[i][v] = acc[i - 1][v];
        UNROLL for (int v = 0; v < vectors; v++) acc[0][v] = bias;
    }
}

#define ROLLING(height, stride, vectors)                                                                               \
    static NOINLINE void rolling_##height##_##stride##_##vectors(const plane_strip *s) {                               \
        if (s->width <= 4 && s->depth == 1)                                                                            \
            rolling(height, stride, vectors, 1, s);                                                                    \
        else                                                                                                           \
            rolling(height, stride, vectors, 0, s);                                                                    \
    }
/* Loads are masked, whether they need to be or not. */
#define BOTH(function) {function, function}
#define ENTRY(height, stride, vectors)                                                                                 \
    .rolling[height][stride][vectors > 1] = BOTH(rolling_##height##_##stride##_##vectors),
#define EACH_ROLLING(F, height, vectors) F(height, 1, 1) F(height, 2, 1) F(height, 1, vectors) F(height, 2, vectors)
#define EACH_HEIGHT(F)                                                                                                 \
    EACH_ROLLING(F, 1, 4)                                                                                              \
    EACH_ROLLING(F, 2, 4)                                                                                              \
    EACH_ROLLING(F, 3, 4)                                                                                              \
    EACH_ROLLING(F, 4, 4) EACH_ROLLING(F, 5, 4) EACH_ROLLING(F, 6, 2) EACH_ROLLING(F, 7, 2)
EACH_HEIGHT(ROLLING)

static int usable(void) { return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi"); }
static void fence(void) { _mm_sfence(); }

const byte_planes implicitpad_byte_planes = {
    usable,
    {.masks = 1, .vectors = {0, 4, 4, 4, 4, 4, 2, 2}, EACH_HEIGHT(ENTRY).fence = fence},
    ROW_NAME(load_row, byte, ISA),
};
#endif
