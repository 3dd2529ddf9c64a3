/* Gradients of pooling for one instruction set: what windows have taken from a plane goes back to it.
 *
 *     mean      dx[e(o s + t d - p)] += dy[o] / count[o]        e: the index map; gathered
 *     maximum   dx[index[o]]         += dy[o]                   gathered too, where windows are small
 *
 * A plane is written by one call, each element once, its terms added in the order of the windows.
 */
#ifndef IMPLICITPAD_POOL_GRADIENT_H
#define IMPLICITPAD_POOL_GRADIENT_H

#include <stddef.h>
#include <stdint.h>

enum { GRADIENT_RING = 16, GRADIENT_SLACK = 64 }; /* divided rows kept; elements beside rows of a work space */

typedef struct {
    int size, out;
    const int32_t *readers; /* the outputs that read each position, one after the other, once for each tap */
    const int32_t *start;   /* where those of each position start; one more, for the end */
    const double *exists;   /* taps of each output that exist */
    const double *inputs;   /* those of them that are no padding */
    int first, count, step; /* from `first` on, `count` times `step` positions whose readers move on by one */
} gradient_axis;

/* OUT dx: a plane of means' gradients. divisor: of all windows; 0: what they count, of the input if !count_pad.
 * work: GRADIENT_RING + 2 rows of outputs; held: GRADIENT_RING numbers. */
typedef void spread_function(const gradient_axis axes[3], double divisor, int count_pad, const void *dy, void *dx,
                             void *work, int64_t *held);

/* The same for windows two wide side by side: each of `rows` rows of n, divided, becomes `height` rows of 2 n. */
typedef void spread_pairs_function(ptrdiff_t rows, int n, int height, double divisor, const void *dy, void *dx);

/* A plane of windows under constant padding, 2 or 3 wide, 1 or 2 columns apart, undilated. */
typedef struct {
    int size[2], out[2], kernel[2], stride[2], before[2]; /* along H and W; before >= 0 */
} gradient_plane;

/* OUT dx: a plane of maxima's gradients. An index outside the plane is nowhere; one inside belongs to the window.
 * work: elements, of which place_room tells the number. */
typedef void place_function(const gradient_plane *plane, const int64_t *index, const void *dy, void *dx, void *work);
static inline ptrdiff_t place_room(const gradient_plane *plane) {
    return (2 * plane->kernel[0]) * ((ptrdiff_t)plane->out[1] + 2 * GRADIENT_SLACK) + plane->size[1] +
           4 * GRADIENT_SLACK;
}

typedef struct {
    spread_function *spread;
    spread_pairs_function *spread_pairs;
    place_function *place;
} gradient_kernels;

typedef struct {
    const char *name;
    const gradient_kernels *f32, *f64;
} gradient_set;

/* NULL where this build has none. */
extern const gradient_set *const implicitpad_gradient_avx512, *const implicitpad_gradient_avx2,
    *const implicitpad_gradient_baseline;

#endif
