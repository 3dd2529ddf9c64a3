/* Vectors of ELEMENT on the GCC and Clang vector extensions; plain scalars (LANES = 1) on compilers
 * that have none. Included once per instruction set and element type by microkernels.h.
 *
 * needs  ELEMENT, ELEMENT_SIZE, VECTOR_BYTES (a literal)
 * gives  LANES, vector, vload, vstore, load_first, store_first, broadcast, transpose, interleave, deinterleave
 */
#undef LANES
#if VECTOR_BYTES == 0
#define LANES 1
#elif VECTOR_BYTES / ELEMENT_SIZE == 16
#define LANES 16
#elif VECTOR_BYTES / ELEMENT_SIZE == 8
#define LANES 8
#elif VECTOR_BYTES / ELEMENT_SIZE == 4
#define LANES 4
#else
#define LANES 2
#endif

#define vector NAME(vector)
#define vload NAME(vload)
#define vstore NAME(vstore)
#define load_first NAME(load_first)
#define store_first NAME(store_first)
#define broadcast NAME(broadcast)
#define transpose NAME(transpose)
#define interleave NAME(interleave)
#define deinterleave NAME(deinterleave)

#if LANES == 1
typedef ELEMENT vector;
INLINE vector vload(const ELEMENT *p) { return *p; }
INLINE void vstore(ELEMENT *p, vector v) { *p = v; }
INLINE vector broadcast(ELEMENT s) { return s; }
INLINE void transpose(vector *a) { (void)a; }
INLINE void interleave(vector *a, vector *b) { (void)a, (void)b; }
INLINE void deinterleave(vector *a, vector *b) { (void)a, (void)b; }
#else
typedef ELEMENT vector __attribute__((vector_size(VECTOR_BYTES)));
typedef ELEMENT NAME(unaligned) __attribute__((vector_size(VECTOR_BYTES), aligned(ELEMENT_SIZE), may_alias));
INLINE vector vload(const ELEMENT *p) { return *(const NAME(unaligned) *)p; }
INLINE void vstore(ELEMENT *p, vector v) { *(NAME(unaligned) *)p = v; }
/* s - 0 is s for every s, also -0.0, and folds into the multiply-add as an embedded broadcast. */
INLINE vector broadcast(ELEMENT s) { return s - (vector){0}; }

/* Transpose LANES x LANES in log2(LANES) stages; stage h exchanges bit h of row and column. */
#define LOW(j, h) ((j) & (h) ? LANES + (j) - (h) : (j))
#define HIGH(j, h) ((j) & (h) ? LANES + (j) : (j) + (h))
#undef INDICES
#if LANES == 16
#define INDICES(F, h)                                                                                                  \
    F(0, h), F(1, h), F(2, h), F(3, h), F(4, h), F(5, h), F(6, h), F(7, h), F(8, h), F(9, h), F(10, h), F(11, h),      \
        F(12, h), F(13, h), F(14, h), F(15, h)
#elif LANES == 8
#define INDICES(F, h) F(0, h), F(1, h), F(2, h), F(3, h), F(4, h), F(5, h), F(6, h), F(7, h)
#elif LANES == 4
#define INDICES(F, h) F(0, h), F(1, h), F(2, h), F(3, h)
#else
#define INDICES(F, h) F(0, h), F(1, h)
#endif
#if defined(__clang__)
#define SHUFFLE(a, b, F, h) __builtin_shufflevector(a, b, INDICES(F, h))
#else
#if ELEMENT_SIZE == 4
typedef int32_t NAME(indices) __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int64_t NAME(indices) __attribute__((vector_size(VECTOR_BYTES)));
#endif
#define SHUFFLE(a, b, F, h) __builtin_shuffle(a, b, (NAME(indices)){INDICES(F, h)})
#endif
#define STAGE(h)                                                                                                       \
    UNROLL for (int i = 0; i < LANES; i++) if (!(i & (h))) {                                                           \
        vector low = SHUFFLE(a[i], a[i + (h)], LOW, h);                                                                \
        a[i + (h)] = SHUFFLE(a[i], a[i + (h)], HIGH, h);                                                               \
        a[i] = low;                                                                                                    \
    }
INLINE void transpose(vector *a){
#if LANES > 8
    STAGE(8)
#endif
#if LANES > 4
        STAGE(4)
#endif
#if LANES > 2
            STAGE(2)
#endif
                STAGE(1)}

/* a0 a1 ..., b0 b1 ... -> a0 b0 a1 b1 ... in both together */
#define ZIP(j, h) (((j) & 1 ? LANES : 0) + (j) / 2 + (h))
INLINE void interleave(vector *a, vector *b) {
    const vector low = SHUFFLE(*a, *b, ZIP, 0);
    *b = SHUFFLE(*a, *b, ZIP, LANES / 2);
    *a = low;
}
#undef ZIP

/* a0 b0 a1 b1 ... in both together -> a0 a1 ..., b0 b1 ... */
#define UNZIP(j, h) (2 * (j) + (h))
INLINE void deinterleave(vector *a, vector *b) {
    const vector even = SHUFFLE(*a, *b, UNZIP, 0);
    *b = SHUFFLE(*a, *b, UNZIP, 1);
    *a = even;
}
#undef UNZIP
#undef STAGE
#undef SHUFFLE
#undef LOW
#undef HIGH
#endif

/* Store the first n lanes, 0 < n <= LANES. */
INLINE void store_first(ELEMENT *p, vector v, int n) {
#if defined(__AVX512F__) && LANES > 1
#if ELEMENT_SIZE == 4
    _mm512_mask_storeu_epi32(p, (__mmask16)((1u << n) - 1), (__m512i)v);
#else
    _mm512_mask_storeu_epi64(p, (__mmask8)((1u << n) - 1), (__m512i)v);
#endif
#else
    if (n == LANES)
        vstore(p, v);
    else
        memcpy(p, &v, (size_t)n * sizeof(ELEMENT));
#endif
}

/* The first n elements, 0 < n <= LANES, and zeros. */
INLINE vector load_first(const ELEMENT *p, int n) {
#if defined(__AVX512F__) && LANES > 1
#if ELEMENT_SIZE == 4
    return (vector)_mm512_maskz_loadu_epi32((__mmask16)((1u << n) - 1), p);
#else
    return (vector)_mm512_maskz_loadu_epi64((__mmask8)((1u << n) - 1), p);
#endif
#else
    vector v = (vector){0};
    memcpy(&v, p, (size_t)n * sizeof(ELEMENT));
    return v;
#endif
}
