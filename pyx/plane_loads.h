/* Rows of a plane into registers where they lie: off lanes of masked loads are the padding. Included once for each
 * floating-point type by microkernels.h.
 */
#undef PLANE_MASKS
/* The columns of a vector's lanes, counted from the first column inside the image and from the first past it. */
#if defined(__AVX512F__) && LANES > 1
#define PLANE_MASKS 1
typedef struct {
    __m512i first, past;
} NAME(edges);
INLINE NAME(edges) NAME(edges_of)(int from, int to) {
#if ELEMENT_SIZE == 4
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (NAME(edges)){_mm512_sub_epi32(lane, _mm512_set1_epi32(from)),
                         _mm512_sub_epi32(lane, _mm512_set1_epi32(to))};
#else
    const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    return (NAME(edges)){_mm512_sub_epi64(lane, _mm512_set1_epi64(from)),
                         _mm512_sub_epi64(lane, _mm512_set1_epi64(to))};
#endif
}
/* p[0] ..., which lie in columns `at` ...; the fill for those outside the image, of which nothing is read. */
INLINE vector NAME(load_inside)(const ELEMENT *p, int at, NAME(edges) edges, vector fill) {
#if ELEMENT_SIZE == 4
    const __m512i start = _mm512_set1_epi32(-at);
    const __mmask16 inside = _mm512_cmpge_epi32_mask(edges.first, start);
    return (vector)_mm512_mask_loadu_ps((__m512)fill, _mm512_mask_cmplt_epi32_mask(inside, edges.past, start), p);
#else
    const __m512i start = _mm512_set1_epi64(-at);
    const __mmask8 inside = _mm512_cmpge_epi64_mask(edges.first, start);
    return (vector)_mm512_mask_loadu_pd((__m512d)fill, _mm512_mask_cmplt_epi64_mask(inside, edges.past, start), p);
#endif
}
#else
#define PLANE_MASKS 0
typedef int NAME(edges);
INLINE NAME(edges) NAME(edges_of)(int from, int to) {
    (void)to;
    return from;
}
INLINE vector NAME(load_inside)(const ELEMENT *p, int at, NAME(edges) edges, vector fill) {
    (void)at, (void)edges, (void)fill;
    return vload(p);
}
#endif

/* Past the caches, for outputs that outgrow them; `p` is aligned to a vector. */
INLINE void NAME(stream)(ELEMENT *p, vector v) {
#if defined(__AVX512F__) && LANES > 1
    _mm512_stream_si512((void *)p, (__m512i)v);
#elif defined(__AVX2__) && LANES > 1
    _mm256_stream_si256((void *)p, (__m256i)v);
#else
    vstore(p, v);
#endif
}

static void NAME(fence)(void) {
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

/* What the tap at column `at` sees: every `stride`-th element, for the vector of outputs that starts `on` further. */
INLINE vector NAME(tap)(const int stride, const int masked, const ELEMENT *row, int at, int on, const int odd,
                        NAME(edges) edges, vector fill) {
    row += at;
    at += on;
    vector a = masked ? NAME(load_inside)(row, at, edges, fill) : vload(row);
    if (stride == 1) {
        IN_REGISTER(a);
        return a;
    }
    row += LANES;
    vector b = masked ? NAME(load_inside)(row, at + LANES, edges, fill) : vload(row);
    deinterleave(&a, &b);
    return odd ? b : a;
}
