# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The weight gradient of planes on the CPU: one filter a channel, or a few. Tables, workspace, threads.

One thread sums all of a filter's gradient, in one order.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.pycapsule cimport PyCapsule_GetPointer
from cython.parallel cimport parallel, prange, threadid
from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc

from gradient_planes cimport PlaneSums, plane_sums_task
from kernels cimport *
from panel cimport ceil_div
from plan cimport Call, Plan, even_start
from plane_planning cimport PLANE_MACS_PER_TASK, PLANE_MACS_PER_THREAD, choose_planes, find_run, lay_out_workspace
from tables cimport fill_table
from workspace cimport give_workspace, workspace_for

cdef enum:
    BAND_ROWS = 32      # of a strip: while one band is summed, the next is prefetched


cdef class PlaneGradient:
    """The weight gradient for one geometry and one set of kernels, if its planes can be read in place.

    `axes`: three objects with size, kernel, stride, dilation, extent, before, mode, out. `kernels`, `codes`:
    from _conv_cpu. Where `suits` is False, this is not for such a problem.
    """
    cdef Plan plan
    cdef PlaneSums sums
    cdef int32_t *memory
    cdef object kernels
    cdef int threads, tasks
    cdef readonly bint suits
    cdef readonly Py_ssize_t workspace  # bytes for each thread

    def __init__(self, axes, int batch, int in_channels, int out_channels, int groups, kernels, codes, int threads):
        cdef Plan *plan = &self.plan
        cdef const kernel_set *chosen = <const kernel_set *>PyCapsule_GetPointer(kernels, "implicitpad.kernel_set")
        cdef double macs = <double>batch * out_channels
        cdef int32_t *memory
        storage, element, _ = codes
        self.kernels = kernels
        plan.kernels = chosen.element[<int>element]
        plan.load_row = chosen.load_row[<int>storage]
        plan.itemsize = 8 if element == F64 else 4
        plan.batch, plan.groups = batch, groups
        plan.channels, plan.filters = in_channels // groups, out_channels // groups
        plan.taps = 1
        for a, axis in enumerate(axes):
            plan.axis[a].out = axis.out
            plan.axis[a].kernel, plan.axis[a].stride, plan.axis[a].dilation = axis.kernel, axis.stride, axis.dilation
            plan.axis[a].virtual = (axis.out - 1) * axis.stride + axis.extent
            plan.taps *= axis.kernel
            macs *= axis.kernel * axis.out
        self.suits = (storage == element and choose_planes(plan) and not plan.tall
                      and plan.planes.products[plan.axis[1].kernel][plan.axis[2].stride][0] != NULL)
        if not self.suits:
            return
        plan.axis[1].block = min(BAND_ROWS, ceil_div(plan.axis[1].out, plan.phases))
        plan.axis[1].blocks = ceil_div(plan.axis[1].out, plan.axis[1].block * plan.phases)
        lay_out_workspace(plan, plan.axis[1].block * plan.phases)
        lanes = plan.kernels.lanes
        self.sums.lanes_at = ceil_div(plan.workspace, 64) * 64
        self.sums.totals_at = self.sums.lanes_at + ceil_div(plan.taps, lanes) * lanes * lanes * plan.itemsize
        self.workspace = ceil_div(self.sums.totals_at + plan.taps * sizeof(double), 4096) * 4096 + 64
        self.threads = <int>max(1, min(threads, macs / PLANE_MACS_PER_THREAD, out_channels))
        self.tasks = <int>min(out_channels, max(self.threads, macs / PLANE_MACS_PER_TASK))
        memory = self.memory = <int32_t *>malloc(sum(plan.axis[a].virtual for a in range(3)) * sizeof(int32_t))
        if memory == NULL:
            raise MemoryError("implicitpad: tables of a weight gradient")
        for a in range(3):
            plan.axis[a].source, memory = memory, memory + plan.axis[a].virtual
            fill_table(&plan.axis[a], axes[a], None)
        find_run(plan)

    def __dealloc__(self):
        free(self.memory)

    def run(self, x, dy, fill, dw):
        """From x (N, C, D, H, W) of any strides and dy (N, K, D', H', W') whose rows are contiguous, of one type.

        `fill`: () or (C,). Into dw, contiguous (K, 1, taps).
        """
        cdef Plan *plan = &self.plan
        cdef Call call
        cdef PlaneSums sums = self.sums
        cdef Py_buffer x_view, dy_view, dw_view, fill_view
        cdef int task, a, filters = plan.groups * plan.filters, tasks = self.tasks
        cdef Py_ssize_t size = self.workspace
        cdef char *workspace = workspace_for(self.threads * size)
        PyObject_GetBuffer(x, &x_view, PyBUF_STRIDES)
        PyObject_GetBuffer(dy, &dy_view, PyBUF_STRIDES)
        PyObject_GetBuffer(fill, &fill_view, PyBUF_STRIDES)
        PyObject_GetBuffer(dw, &dw_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        call.x, call.fill = <const char *>x_view.buf, <const char *>fill_view.buf
        call.fill_stride = fill_view.strides[0] if fill_view.ndim else 0
        sums.dy, sums.dw = <const char *>dy_view.buf, <char *>dw_view.buf
        for a in range(5):
            call.x_stride[a], sums.dy_stride[a] = x_view.strides[a], dy_view.strides[a]
        with nogil:
            if self.threads == 1:
                plane_sums_task(plan, &call, &sums, 0, filters, workspace)
            else:
                with parallel(num_threads=self.threads):
                    for task in prange(tasks, schedule="dynamic"):
                        plane_sums_task(plan, &call, &sums, even_start(task, tasks, filters),
                                        even_start(task + 1, tasks, filters), workspace + threadid() * size)
        PyBuffer_Release(&x_view)
        PyBuffer_Release(&dy_view)
        PyBuffer_Release(&fill_view)
        PyBuffer_Release(&dw_view)
        give_workspace(workspace)
