# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The weight gradient of planes: a task sums for some filters, in strips read where they lie (plane_gradient.h).

A Plan of the convolution itself tells where rows and columns come from, as in planes.pxd.
"""

from libc.stdint cimport int32_t, uintptr_t
from libc.string cimport memset

from kernels cimport PARTIAL_TERMS, plane_products
from planes cimport fill_row, gather_strip, list_rows
from plan cimport Call, Plan
from plane_planning cimport listed_rows, reach


cdef struct PlaneSums:
    const char *dy
    Py_ssize_t dy_stride[5]
    char *dw                    # contiguous (K, taps), element type
    Py_ssize_t lanes_at, totals_at   # in a thread's workspace: a vector for each tap, a float64 for each tap


cdef inline void strip_sums(const Plan *plan, const Call *call, PlaneSums *sums, plane_products *strip, const char *x,
                            const Py_ssize_t *rows, const Py_ssize_t *gathered, const char *fill, int column,
                            int images, bint in_place, char *workspace) noexcept nogil:
    """One strip of some images, for all taps; x and strip.dy: of the first image."""
    cdef int item = plan.itemsize, height = plan.axis[1].kernel, start = column * plan.axis[2].stride, d, image
    cdef int from_column = plan.run_from - start, to = plan.run_to - start
    cdef bint masked = strip.count < plan.kernels.lanes, inside = from_column <= 0 and to >= reach(plan, 1)
    strip.images, strip.from_, strip.to = 1, 0, plan.panel_pitch
    in_place = in_place and (inside or plan.fill_outside and plan.planes.masks)
    if in_place:
        strip.images, strip.from_, strip.to = images, from_column, to
        masked = masked or not inside
    image = 0
    while image < images:
        if in_place:
            strip.x = x + <Py_ssize_t>(plan.run_source - from_column) * item
        else:
            gather_strip(plan, call, x + image * call.x_stride[0], rows, listed_rows(plan, strip.n) * strip.rows_step,
                         start, fill, workspace)
            strip.x = workspace
        for d in range(plan.axis[0].kernel):
            strip.rows = (rows if in_place else gathered) + d
            strip.sums = workspace + sums.lanes_at + d * height * strip.width * <Py_ssize_t>plan.kernels.lanes * item
            plan.planes.products[height][plan.axis[2].stride][masked](strip)
        strip.dy += strip.dy_image
        image += strip.images


cdef inline void plane_sums_task(const Plan *plan, const Call *call, PlaneSums *sums, int channel_from,
                                 int channel_to, char *workspace) noexcept nogil:
    cdef plane_products strip
    cdef Py_ssize_t *rows = <Py_ssize_t *>(workspace + plan.source_at)
    cdef Py_ssize_t *gathered = rows
    cdef double *totals = <double *>(workspace + sums.totals_at)
    cdef int item = plan.itemsize, lanes = plan.kernels.lanes
    cdef int channel, depth, phase, row, end, image, images, column, terms, i
    cdef bint once = plan.axis[0].out == 1 and plan.phases == 1 and plan.axis[1].blocks == 1
    cdef bint filled = False, listed = False
    cdef bint in_place = call.x_stride[4] == item and <uintptr_t>call.x % <uintptr_t>item == 0
    cdef const char *x
    cdef const char *dy
    cdef const char *fill
    for i in range(4):
        in_place = in_place and call.x_stride[i] % item == 0
    strip.width, strip.dilation = plan.axis[2].kernel, plan.axis[2].dilation
    strip.rows_step, strip.fill_row = plan.axis[0].kernel, workspace + plan.fill_at
    strip.dy_row = plan.phases * sums.dy_stride[3]
    strip.x_image, strip.dy_image = call.x_stride[0], sums.dy_stride[0]
    memset(workspace + sums.lanes_at, 0, <size_t>(sums.totals_at - sums.lanes_at))
    strip.dy_ahead = plan.axis[1].block * strip.dy_row
    strip.x_ahead = plan.axis[1].block * plan.phases * plan.axis[1].stride * call.x_stride[3]
    for channel in range(channel_from, channel_to):
        x = call.x + channel // plan.filters * call.x_stride[1]
        fill = call.fill + channel // plan.filters * call.fill_stride
        memset(totals, 0, <size_t>plan.taps * sizeof(double))
        terms = image = 0
        while image < plan.batch:
            images = min(PARTIAL_TERMS // plan.axis[1].block, plan.batch - image)
            for depth in range(plan.axis[0].out):
                for phase in range(plan.phases):
                    end = 0
                    while end * plan.phases + phase < plan.axis[1].out:
                        row, end = end, (plan.axis[1].out - phase + plan.phases - 1) // plan.phases
                        end = min(end, row + plan.axis[1].block)
                        strip.n = end - row
                        if not (once and listed):
                            gathered = rows + listed_rows(plan, strip.n) * strip.rows_step
                            filled = list_rows(plan, call, depth, phase, row, strip.n, rows, gathered)
                        if not (once and listed) or call.fill_stride:
                            fill_row(workspace + plan.fill_at, item, fill, plan.panel_pitch if filled else 1)
                        listed = True
                        dy = (sums.dy + image * sums.dy_stride[0] + channel * sums.dy_stride[1]
                              + depth * sums.dy_stride[2]
                              + (phase + <Py_ssize_t>row * plan.phases) * sums.dy_stride[3])
                        column = 0
                        while column < plan.axis[2].out:
                            strip.count = min(lanes, plan.axis[2].out - column)
                            strip.dy = dy + <Py_ssize_t>column * item
                            terms += strip.n * images
                            if terms > PARTIAL_TERMS:
                                plan.planes.add_lanes(workspace + sums.lanes_at, plan.taps, totals)
                                terms = strip.n * images
                            strip_sums(plan, call, sums, &strip, x + image * call.x_stride[0], rows, gathered, fill,
                                       column, images, in_place, workspace)
                            column += lanes
            image += images
        plan.planes.add_lanes(workspace + sums.lanes_at, plan.taps, totals)
        for i in range(plan.taps):
            if item == 4:
                (<float *>sums.dw)[<Py_ssize_t>channel * plan.taps + i] = <float>totals[i]
            else:
                (<double *>sums.dw)[<Py_ssize_t>channel * plan.taps + i] = totals[i]
