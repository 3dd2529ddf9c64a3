/* What the kernels ask of a compiler beyond C. */
#ifndef IMPLICITPAD_COMPILER_H
#define IMPLICITPAD_COMPILER_H

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define INLINE static inline
#define NOINLINE
#define UNUSED
#define PREFETCH(p) (void)(p)
#endif
/* Keep a value that was loaded in a register: several uses would each become a load. */
#if defined(__GNUC__) && defined(__x86_64__)
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#else
#define IN_REGISTER(v) (void)(v)
#endif
/* Keep an array out of registers, which are wanted for others. */
#if defined(__GNUC__)
#define IN_MEMORY(array) __asm__("" : "+m"(array))
#else
#define IN_MEMORY(array) (void)(array)
#endif
/* Loads stay on their side of it: moved ahead in long unrolled sums, they would want more registers than there are. */
#if defined(__GNUC__)
#define LOADS_IN_ORDER __asm__ volatile("" ::: "memory")
#else
#define LOADS_IN_ORDER (void)0
#endif
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 64")
#else
#define UNROLL
#endif

#endif
