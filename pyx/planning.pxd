# cython: language_level=3, cdivision=True
"""What is decided once for a geometry: algorithm, register tile, block sizes, threads, workspace.

Each decision looks at the virtual problem alone, never at how its padding is given, so that implicit
and explicit padding are computed alike. The constants were measured on x86 processors with 1 MB of
second-level cache.
"""

from libc.stdint cimport int32_t

from kernels cimport (
    CHANNEL_VECTORS, PANEL_SLACK, WINOGRAD_DILATION, dot_kernels, kernel_set, panel_run, winograd_kernels)
from panel cimport PanelAxis, ceil_div, count_tiles, counted, lay_out, tile_start
from plan cimport Plan

cdef enum:
    PANEL_BYTES = 320 * 1024    # a panel and a block of weights share a 1 MB second-level cache
    MACS_PER_THREAD = 250000    # below this a second thread costs more than it brings
    MACS_PER_TASK = 100000      # groups with less work are done several to a task
    TRANSFORMED_BYTES = 400 * 1024  # of a block's transformed inputs, in the second-level cache
    FAR_BYTES = 2560 * 1024     # or in the third, where few tiles would wait for weights
    BYTES_A_CYCLE = 20          # of weights, from the third-level cache
    WORTH_SKIPPING = 10         # percent of the terms that lie in zero padding


cdef inline const dot_kernels *find_dot(const kernel_set *kernels, int storage, int weight_storage):
    """The dot products that this processor has for such values, or NULL."""
    dot = kernels.dot[storage]
    return dot if dot != NULL and <int>dot.weights == weight_storage and dot.usable() else NULL


cdef inline void use_dot(Plan *plan, const dot_kernels *dot):
    plan.dot, plan.kernels, plan.load_channels = dot, dot.element, dot.load
    plan.interleaved, plan.in_channels = dot.channels, plan.channels
    plan.channels = <int>ceil_div(plan.in_channels, dot.channels)


cdef inline tuple choose_tile(Plan *plan, bint may_be_flat):
    """Estimate both tiles' cycles for a row of outputs and one term; the lower wins.

    A step of either tile costs the largest of its multiply-adds (2 a cycle), its loads (2 a cycle) and
    the latency of a chain of multiply-adds (4 cycles); then the tile is stored, which is dear for the
    channel tile: it must be transposed. At equal counts the channel tile is faster, because broadcasts
    never cross cache lines; with bytes, a sixth faster (both factors measured).
    """
    plan.images, plan.tile, plan.winograd = 1, 1, NULL
    lanes, filters = plan.kernels.lanes, plan.filters
    out = plan.axis[2].out
    # Narrow planes: rows as one, if the slots between two rows are few.
    between = (plan.axis[2].kernel - 1) * plan.axis[2].dilation
    plan.flat = (may_be_flat and plan.axis[2].stride == 1 and out <= 3 * lanes and plan.axis[1].out > 1
                 and 2 * between <= out)
    rows = 2 if out <= plan.kernels.tile_pixels // 2 and plan.axis[1].out > 1 else 1
    tiles = ceil_div(out * rows, plan.kernels.tile_pixels)
    pixels = out * rows / tiles
    width = CHANNEL_VECTORS * lanes
    terms = plan.channels * plan.taps
    step = max(pixels, (pixels + 2) / 2, 4) + 180 / terms
    channel_cost = ceil_div(filters, width) * tiles * step / rows
    widths = []
    widest = 3 if plan.kernels.pixel_vectors[3] else 2
    left, pixel_cost = filters, 0.0
    while left:
        log2 = min(left.bit_length() - 1, widest)
        vectors = 1.0 * ceil_div(out, lanes)
        tiles = 1.0 * ceil_div(ceil_div(out, lanes), plan.kernels.pixel_vectors[log2])
        if plan.flat:
            vectors = max(1.0 * (out + between) / lanes, 1.0)
            tiles = vectors / plan.kernels.pixel_vectors[log2]
        size = (1 << log2) * vectors / tiles
        step = max(size / 2, ((1 << log2) + vectors / tiles) / 2, 4) + 1.5 * size / terms
        pixel_cost += (1.16 if plan.interleaved else 1.03) * tiles * step
        widths.append(1 << log2)
        left -= 1 << log2
    plan.channel_lanes = channel_cost <= pixel_cost
    if plan.channel_lanes:
        plan.flat = False
        return channel_cost, [width] * ceil_div(filters, width)
    return pixel_cost, widths


cdef inline double transform_cycles(int m):
    """Of a vector of channels at a position of a tile, in or out."""
    return 1.6 + 1.1 * m


cdef inline double winograd_cycles(Plan *plan, const winograd_kernels *winograd):
    """Cycles for the outputs of one channel by these tiles, in the model above.

    At each position of a tile the products take a cycle for each register of output channels, the transforms
    some for each vector of channels, in or out; the transformed weights are read from the third-level cache
    once a block. By default a batch is computed as its images are one by one: m = 2 does not look at its size.
    """
    lanes, terms, m = plan.kernels.lanes, plan.channels * plan.axis[0].kernel, winograd.tile
    cut_tiles(plan, winograd)
    tiles = plan.axis[1].tiles * plan.axis[2].tiles
    width = ceil_div(plan.filters, CHANNEL_VECTORS * lanes) * CHANNEL_VECTORS * lanes
    together = min(block_tiles(plan, plan.positions), tiles if m == 2 else plan.batch * tiles)
    weights = width * terms * plan.itemsize / BYTES_A_CYCLE / max(together, 1)
    products = width * terms / (CHANNEL_VECTORS * lanes)
    transforms = transform_cycles(m) * (ceil_div(terms, lanes) + ceil_div(plan.filters, lanes))
    return 1.0 * plan.positions * tiles * (products + weights + transforms) / plan.channels


cdef inline void cut_tiles(Plan *plan, const winograd_kernels *winograd):
    count_tiles(&plan.axis[1], winograd.rows)
    count_tiles(&plan.axis[2], winograd.tile)
    plan.positions = (winograd.rows + plan.axis[1].kernel - 1) * (winograd.tile + 2)


cdef inline int block_tiles(const Plan *plan, int positions):
    """Tiles of a block: enough for the register tile, few enough for the second-level cache.

    Each block reads all transformed weights: with many channels it is better to read inputs from further away.
    """
    cdef Py_ssize_t size = <Py_ssize_t>positions * plan.channels * plan.axis[0].kernel * plan.itemsize
    tiles = TRANSFORMED_BYTES // size
    if tiles < 16:
        return <int>max(FAR_BYTES // size, 28)
    return <int>min(max(tiles, 28), max(56, 56 * 16 // positions))


cdef inline list choose_winograd(Plan *plan, double direct, bint fast):
    """Use Winograd if it saves a tenth of the time: widths of the channel blocks, or None.

    m = 2 is as accurate as direct convolution; m = 4 must be asked for.
    """
    cdef const winograd_kernels *tried
    cdef int i, one_row = plan.axis[1].kernel == 1
    if plan.kernels.winograd[0][0] == NULL or plan.axis[2].kernel != 3 or plan.axis[1].kernel not in (1, 3):
        return None
    if plan.axis[1].stride != 1 or plan.axis[2].stride != 1 or plan.axis[2].dilation > WINOGRAD_DILATION:
        return None
    cycles = 0.9 * plan.taps * plan.axis[1].out * direct
    for i in range(2 if fast and plan.axis[0].kernel <= 8 else 1):
        tried = plan.kernels.winograd[one_row][i]
        if winograd_cycles(plan, tried) < cycles:
            cycles = winograd_cycles(plan, tried)
            plan.winograd = tried
    if plan.winograd == NULL:
        for a in range(1, 3):
            plan.axis[a].tile = 0
        return None
    plan.tile = plan.winograd.tile
    cut_tiles(plan, plan.winograd)
    for a in range(1, 3):
        last = tile_start(&plan.axis[a], plan.axis[a].tiles - 1)
        plan.axis[a].virtual = last + (plan.axis[a].tile + plan.axis[a].kernel - 2) * plan.axis[a].dilation + 1
    tiles = block_tiles(plan, plan.positions)
    columns = ceil_div(plan.axis[2].tiles, tiles if one_row else min(tiles, 28))
    columns = whole_groups(&plan.axis[2], ceil_div(plan.axis[2].tiles, columns))
    parts = ceil_div(plan.axis[1].tiles, max(1, tiles // columns))
    if parts == 1 and plan.axis[0].out == 1 and columns == plan.axis[2].tiles:
        image_tiles = plan.axis[1].tiles * columns
        # a batch a little too large rather than a rest that reads all weights for a few tiles
        fits = plan.batch * image_tiles <= 5 * tiles // 4
        blocks = 1 if fits else ceil_div(plan.batch, max(1, tiles // image_tiles))
        plan.images = <int>ceil_div(plan.batch, blocks)
    rows = ceil_div(plan.axis[1].tiles, parts)
    panel_bytes(plan, (1, rows if rows < plan.axis[1].dilation else whole_groups(&plan.axis[1], rows), columns))
    width = CHANNEL_VECTORS * plan.kernels.lanes
    return [width] * ceil_div(plan.filters, width)


cdef inline int whole_groups(const PanelAxis *axis, int tiles):
    """So many tiles or a little more that d tiles lying between one another are not parted."""
    return <int>min(axis.tiles, ceil_div(tiles, axis.dilation) * axis.dilation)


cdef inline Py_ssize_t panel_bytes(Plan *plan, tuple block):
    """Lay out panels for blocks of so many outputs, or tiles, along each axis; the bytes of one."""
    for a in range(3):
        lay_out(&plan.axis[a], block[a])
    plan.plane = <Py_ssize_t>plan.axis[1].slots * plan.axis[2].slots
    # An odd number of vectors from channel to channel: powers of two would share few cache sets.
    vectors = ceil_div(plan.axis[0].slots * plan.plane, plan.kernels.lanes) | 1
    plan.channel_stride = vectors * plan.kernels.lanes
    return (plan.channel_stride * plan.channels + PANEL_SLACK) * plan.itemsize


cdef inline void choose_blocks(Plan *plan):
    """Cut the axis that loses least by it, rows last, until the panel fits."""
    cdef int tile = plan.kernels.tile_pixels if plan.channel_lanes else 3 * plan.kernels.lanes
    block = [plan.axis[a].out for a in range(3)]
    while panel_bytes(plan, tuple(block)) > PANEL_BYTES:
        # how often a gathered slot is used by a block, relative to the slots its neighbour gathers again
        reuse = [block[a] * plan.axis[a].stride / ((plan.axis[a].kernel - 1) * plan.axis[a].dilation + 1)
                 if block[a] > 1 else 0 for a in range(2)]
        a = 0 if reuse[0] >= reuse[1] else 1
        if reuse[a] <= 3 and block[2] > 4 * tile or block[a] == 1:
            a = 2
            if block[2] <= tile:
                break
        parts = ceil_div(plan.axis[a].out, block[a]) + 1
        size = ceil_div(plan.axis[a].out, parts)
        block[a] = min(block[a] - 1, ceil_div(size, tile) * tile if a == 2 else size)
    panel_bytes(plan, tuple(block))


cdef inline double last_end(int threads, Py_ssize_t n_whole, double whole, Py_ssize_t n_rest, double rest):
    """When all tasks are done: n_whole, then n_rest smaller ones, taken in turn by the threads."""
    end = n_whole // threads * whole + (whole if n_whole % threads else ceil_div(n_rest, threads) * rest)
    return max(end, (n_whole * whole + n_rest * rest) / threads)


cdef inline void divide_tiles(Plan *plan):
    """Cut blocks of tiles, and share their output channels, so that the last thread ends soonest.

    In the model above: a task gathers the inputs of all its tiles whatever its share of the channels, and reads
    its share of the weights whatever its tiles. Products are a little slower where inputs outgrow the cache.
    """
    cdef double each, end, best = 0
    cdef Py_ssize_t n, n_whole, size, most, terms = <Py_ssize_t>plan.channels * plan.axis[0].kernel
    cdef int images, rows, shares, blocks, tiles, left
    cdef int height = plan.axis[1].tiles, dilation = plan.axis[1].dilation, columns = plan.axis[2].block
    size = columns * plan.positions * terms * plan.itemsize
    most = max(FAR_BYTES, size * plan.images * plan.axis[1].block)
    others = plan.group_tasks * plan.axis[0].blocks * plan.axis[2].blocks
    transform = transform_cycles(plan.tile)
    gather = transform * ceil_div(terms, plan.kernels.lanes)
    weights = CHANNEL_VECTORS * plan.kernels.lanes * terms * plan.itemsize / BYTES_A_CYCLE
    cuts = [(n, height) for n in range(plan.images, 1, -1)] + [(1, n) for n in range(height, 0, -1)]
    chosen = None
    for images, rows in cuts:
        if size * images * rows > most or height > rows > dilation and rows % dilation:
            continue
        tiles = images * rows * columns
        left = columns * (plan.batch % images * height if images > 1 else height % rows)
        n_whole = others * (plan.batch // images) * (height // rows)
        n = others * ceil_div(plan.batch, images) * ceil_div(height, rows) - n_whole
        product = terms * (1.04 if size * images * rows > TRANSFORMED_BYTES else 1) + CHANNEL_VECTORS * transform
        for shares in range(1, min(plan.n_blocks, 2 * plan.threads) + 1):
            blocks = <int>ceil_div(plan.n_blocks, shares)
            each = gather + blocks * product
            end = last_end(plan.threads, n_whole * shares, tiles * each + blocks * weights,
                           n * shares, left * each + blocks * weights)
            if chosen is None or end < 0.99 * best:
                best, chosen = end, (images, rows, shares, (n_whole + n) * shares)
    plan.images, rows, plan.shares, n = chosen
    plan.threads = min(plan.threads, n)
    panel_bytes(plan, (1, rows, columns))


cdef inline Py_ssize_t level_rows(Plan *plan, Py_ssize_t tasks):
    """Fewer rows in a block, down to half, if the last thread ends sooner; the tasks, which were so many."""
    cdef Py_ssize_t others = tasks // plan.axis[1].blocks
    cdef int rows, chosen = 0, height = plan.axis[1].out, most = plan.axis[1].block
    cdef double end, best = 0
    for rows in range(most, most // 2, -1):
        end = last_end(plan.threads, others * (height // rows), rows, others * (height % rows > 0), height % rows)
        if not chosen or end < 0.97 * best:
            chosen, best = rows, end
    panel_bytes(plan, (plan.axis[0].block, chosen, plan.axis[2].block))
    return others * plan.axis[1].blocks


cdef inline void divide(Plan *plan, int threads):
    """Threads, and how many tasks share a panel's output channels so that all threads have work."""
    cdef double macs = <double>plan.batch * plan.groups * plan.filters * plan.channels * plan.taps
    cdef Py_ssize_t tasks
    for a in range(3):
        macs *= plan.axis[a].out
    plan.threads = <int>max(1, min(threads, macs / MACS_PER_THREAD))
    blocks = plan.axis[0].blocks * plan.axis[1].blocks * plan.axis[2].blocks
    images = ceil_div(plan.batch, plan.images)
    plan.group_tasks = <int>max(1, min(plan.groups, macs / (<double>images * blocks * MACS_PER_TASK)))
    tasks = <Py_ssize_t>images * plan.group_tasks * blocks
    plan.shares = 1
    if plan.winograd != NULL:
        if plan.threads > 1 and tasks < 8 * plan.threads:
            divide_tiles(plan)
        return
    while plan.threads > 1 and tasks < 4 * plan.threads:
        block = [plan.axis[a].block for a in range(3)]
        rows = block[1] * max(plan.axis[1].tile, 1)
        a = 0 if block[0] >= rows else 1
        if (rows if a else block[0]) < 8:
            break
        size = ceil_div(counted(&plan.axis[a]), plan.axis[a].blocks + 1)
        if plan.axis[a].tile and size > plan.axis[a].dilation:
            size = whole_groups(&plan.axis[a], size)
        if size == block[a]:
            break
        block[a] = size
        tasks = tasks // plan.axis[a].blocks
        panel_bytes(plan, tuple(block))
        tasks *= plan.axis[a].blocks
    if plan.threads > 1 and tasks < 8 * plan.threads and not plan.axis[1].tile:
        tasks = level_rows(plan, tasks)
    if plan.threads > 1 and tasks < 2 * plan.threads:
        plan.shares = min(plan.n_blocks, ceil_div(2 * plan.threads, tasks))
    plan.threads = min(plan.threads, tasks * plan.shares)


cdef inline void reserve(Plan *plan, int widest):
    """Lay out a thread's workspace; `widest`: channels of the widest block of them."""
    cdef Py_ssize_t lanes = plan.kernels.lanes, item = plan.itemsize, tiles, slots
    cdef Py_ssize_t scratch = 0, transformed = 0, products = 0
    if plan.tile > 1:
        tiles = plan.images * plan.axis[1].block * plan.axis[2].block
        plan.lane_group = tiles * lanes
        plan.transformed_stride = ceil_div(plan.channels, lanes) * plan.axis[0].kernel * plan.lane_group + lanes
        plan.product_stride = tiles * widest + lanes
        transformed = plan.positions * plan.transformed_stride * item
        products = plan.positions * plan.product_stride * item
        scratch = ceil_div(plan.plane, lanes) * lanes * lanes * item    # of the transposed panel
        if not plan.direct:
            scratch = max(scratch, <Py_ssize_t>widest * plan.axis[1].tile * plan.tile * plan.axis[2].block * item)
    elif not plan.direct:
        scratch = <Py_ssize_t>widest * item * plan.axis[0].block * plan.axis[1].block
        scratch *= plan.axis[2].slots if plan.flat else plan.axis[2].block
    slots = plan.axis[0].slots + plan.axis[1].slots + plan.axis[2].slots
    plan.scratch_at = ceil_div((plan.channel_stride * plan.channels + PANEL_SLACK) * item, 64) * 64
    plan.source_at = ceil_div(plan.scratch_at + scratch, 64) * 64
    plan.runs_at = ceil_div(plan.source_at + slots * <Py_ssize_t>sizeof(int32_t), 64) * 64
    plan.transformed_at = ceil_div(plan.runs_at + plan.axis[2].slots * <Py_ssize_t>sizeof(panel_run), 64) * 64
    plan.products_at = ceil_div(plan.transformed_at + transformed, 64) * 64
    # a line more than whole pages: threads' workspaces must not share cache sets
    plan.workspace = ceil_div(plan.products_at + products, 4096) * 4096 + 64
